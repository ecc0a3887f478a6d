"""Runs a command on a terminal of its own, and prints what the terminal shows.

    python terminal.py COLUMNS TEXT KEYS COMMAND ...

COLUMNS   the width of the terminal
TEXT      what is waited for, and
KEYS      what is typed then, with escapes such as \\x03 for Ctrl-C
"""

import codecs
import fcntl
import os
import pty
import struct
import sys
import termios

columns, text, keys, *command = sys.argv[1:]
process, terminal = pty.fork()
if process == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))
    os.execvp(command[0], command)
shown = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:  # Linux says so where others say that the end is reached
        more = b""
    if not more:
        break
    shown += more
    if keys and text.encode() in shown:
        os.write(terminal, codecs.decode(keys, "unicode_escape").encode("latin-1"))
        keys = ""
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
