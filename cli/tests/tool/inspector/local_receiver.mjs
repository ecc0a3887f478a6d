// `voicehook dev` on a free port, and EnableX's side of it: encryption by Node's own ciphers.

import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import readline from 'node:readline';

const APP_ID = 'voicehook-dev';

export class LocalReceiver {
  /** Starts it, and waits until it listens. */
  static async start({ args = [], listen = '127.0.0.1:0', token = '' } = {}) {
    const receiver = new LocalReceiver();
    const option = args.indexOf('--app-id');
    receiver.appId = option < 0 ? APP_ID : args[option + 1];
    const { ENABLEX_APP_ID, WEBHOOK_TOKEN, EVENT_FORMAT, CARGO, ...inherited } = process.env;
    const env = { ...inherited, VOICEHOOK_INSPECT_TOKEN: token };
    receiver.process = spawn(process.env.VOICEHOOK, ['dev', '--listen', listen, ...args], { env, stdio: ['ignore', 'pipe', 'ignore'] });
    receiver.ended = once(receiver.process, 'exit');
    const lines = readline.createInterface({ input: receiver.process.stdout });
    for await (const line of lines) {
      if (line.startsWith('voicehook listens on ')) receiver.url = line.split(' ').at(-1);
      if (line.startsWith('inspector: ')) receiver.inspector = line.split(' ').at(-1);
      if (line.startsWith('Listening')) break;
    }
    receiver.process.stdout.resume();
    return receiver;
  }

  /** Interrupts it like Ctrl-C. Returns the exit status. */
  async interrupt() {
    this.process.kill('SIGINT');
    const [status] = await this.ended;
    return status;
  }

  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** Sends an event, encrypted. */
  async send(event, { appId = APP_ID, headers = {}, body, path = '' } = {}) {
    const data = this.encrypted(typeof event === 'string' ? event : JSON.stringify(event), appId);
    const all = { 'content-type': 'application/json', 'x-algoritm': 'aes-256-cbc', 'x-format': 'hex', 'x-encoding': 'utf8', ...headers };
    const sent = Object.entries(all).filter(([, value]) => value !== undefined);
    return fetch(this.url + path, { method: 'POST', headers: sent, body: body ?? JSON.stringify({ encrypted_data: data }) });
  }

  /** With another AppID than the receiver's, one text in 256 has the right padding by chance, and fails a step later. */
  encrypted(text, appId) {
    const cipher = crypto.createCipheriv('aes-256-cbc', ...keyAndIv(appId));
    const data = cipher.update(text, 'utf8', 'hex') + cipher.final('hex');
    return appId !== this.appId && isPadded(data, this.appId) ? this.encrypted(`${text} `, appId) : data;
  }
}

const isPadded = (data, appId) => {
  const decipher = crypto.createDecipheriv('aes-256-cbc', ...keyAndIv(appId));
  decipher.update(data, 'hex');
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
};

/** OpenSSL's EVP_BytesToKey with MD5, no salt and one iteration. */
const keyAndIv = (appId) => {
  let bytes = Buffer.alloc(0);
  let block = Buffer.alloc(0);
  while (bytes.length < 48) {
    block = crypto.createHash('md5').update(block).update(appId).digest();
    bytes = Buffer.concat([bytes, block]);
  }
  return [bytes.subarray(0, 32), bytes.subarray(32, 48)];
};

/** A call whose events are placed by the second they happen in. */
export class Call {
  constructor(voiceId) {
    this.voiceId = voiceId;
    // A quarter of a second past the second: a timestamp without a fraction proves less.
    this.begin = Math.floor(Date.now() / 1000) * 1000 - 99_750;
  }

  state(state, second, more = {}) {
    return { voice_id: this.voiceId, state, from: '+12025550123', to: '+12025550187', timestamp: this.at(second), ...more };
  }

  play(playstate, second, more = {}) {
    return { voice_id: this.voiceId, playstate, timestamp: this.at(second), prompt_ref: 'welcome', play_id: '1', ...more };
  }

  /** Like most events of a prompt: two of them cannot be told apart. */
  playWithoutTimestamp(playstate, more = {}) {
    const { timestamp, ...event } = this.play(playstate, 0, more);
    return event;
  }

  at(second) {
    return new Date(this.begin + second * 1000).toISOString();
  }
}
