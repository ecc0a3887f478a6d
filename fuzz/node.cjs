// Opens the webhooks of fuzz/fuzz_targets/receiver.rs with Node's own createDecipher, as EnableX's sample does it, and
// compares: node --no-deprecation fuzz/node.cjs ANSWERS. Needs a Node that has it: 20.
//
// - What voicehook put on its queue, Node opens to the same text.
// - What Node opens to a JSON object and voicehook refuses, voicehook refuses because Node guesses: it skips what is no
//   digit of hex or base64, cuts what is no byte, or puts U+FFFD where there is no character. Each of these is counted;
//   anything else is a difference, and the exit status is 1.
'use strict';
const { createDecipher } = require('node:crypto');
const { readFileSync } = require('node:fs');

const SUPPORTED = /^(aes(128|192|256)|aes-(128|192|256)-(cbc|ctr|cfb|cfb8|ofb|ecb))$/i;
const FORMATS = /^(hex|base64|base64url|latin1|binary)$/i;
const ENCODINGS = /^(utf-?8|ascii|latin1|binary|utf-?16le|ucs-?2)$/i;

const isJson = (contentType) => /^application\/json/i.test(contentType);

function encryptedData(body, contentType) {
  const text = body.toString('utf8').replace(/^\ufeff/, '');
  if (isJson(contentType)) return JSON.parse(text).encrypted_data;
  const values = new URLSearchParams(text).getAll('encrypted_data');
  return values.length === 1 ? values[0] : undefined;
}

// What Node makes of a webhook: the text and the ciphertext's bytes, or undefined where it throws.
function open({ appId, headers, body }) {
  // A gateway joins the values of a header with commas. Several that are the same count as one.
  const one = (name) => {
    const values = (headers[name] ?? []).flatMap((line) => line.split(',')).map((value) => value.trim()).filter(Boolean);
    return new Set(values.map((value) => value.toLowerCase())).size === 1 ? values[0] : undefined;
  };
  const algorithm = one(headers['x-algoritm'] ? 'x-algoritm' : 'x-algorithm');
  const [format, encoding] = [one('x-format'), one('x-encoding')];
  if (!SUPPORTED.test(algorithm) || !FORMATS.test(format) || !ENCODINGS.test(encoding)) return undefined;
  try {
    const data = encryptedData(Buffer.from(body, 'base64'), one('content-type') ?? '');
    if (typeof data !== 'string') return undefined;
    const decipher = createDecipher(algorithm, appId);
    const text = decipher.update(data, format, encoding) + decipher.final(encoding);
    // The plaintext's bytes, which say whether the text is exact.
    const bytes = createDecipher(algorithm, appId);
    const plain = Buffer.concat([bytes.update(data, format), bytes.final()]);
    return { text, data, format: format.toLowerCase(), encoding: encoding.toLowerCase(), plain };
  } catch {
    return undefined;
  }
}

const isObject = (text) => {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

// Why Node's reading is a guess, or undefined where it is exact.
function guess({ text, data, format, encoding, plain }) {
  const bytes = Buffer.from(data, format);
  if (format === 'hex' && bytes.toString('hex') !== data.toLowerCase()) return 'not hex';
  if (format.startsWith('base64')) {
    const digits = data.replace(/[\t\n\f\r ]/g, '').replace(/=+$/, '').replace(/-/g, '+').replace(/_/g, '/');
    if (bytes.toString('base64').replace(/=+$/, '') !== digits) return 'not base64';
    if (format === 'base64url' && /[+/=\s]/.test(data)) return 'not base64url';
    if (/=/.test(data.replace(/[\s]/g, '').replace(/={0,2}$/, ''))) return 'padding inside';
  }
  if ((format === 'latin1' || format === 'binary') && bytes.toString('latin1') !== data) return 'not latin1';
  if (encoding === 'ascii' && plain.some((byte) => byte > 127)) return 'not ascii';
  if (!Buffer.from(text, encoding).equals(plain)) return 'not exact text';
  return undefined;
}

const counts = { 'the same event': 0, 'neither opens it': 0 };
const differences = [];
const count = (what) => (counts[what] = (counts[what] ?? 0) + 1);
for (const line of readFileSync(process.argv[2], 'utf8').trimEnd().split('\n')) {
  const webhook = JSON.parse(line);
  const opened = open(webhook);
  if (webhook.event !== null) {
    if (opened === undefined) {
      count('only voicehook reads it');
      // Node's sample parses what its content type names; voicehook reads what can be read.
      if (isJson(webhook.headers['content-type']?.[0] ?? '')) differences.push(['voicehook alone opens it', line]);
    } else if (opened.text === webhook.event) count('the same event');
    // A text that SQS would not take is escaped, and a byte order mark is not an event's.
    else if (isObject(opened.text) && JSON.stringify(JSON.parse(opened.text)) === JSON.stringify(JSON.parse(webhook.event))) count('the same JSON');
    else differences.push(['other texts', line]);
  } else if (opened === undefined || !isObject(opened.text)) count('neither opens it');
  else {
    const why = guess(opened);
    if (why === undefined) differences.push([`Node alone opens it (${webhook.reason})`, line]);
    else count(`Node guesses: ${why}`);
  }
}
for (const [what, times] of Object.entries(counts)) console.log(`${String(times).padStart(8)}  ${what}`);
for (const [what, line] of differences.slice(0, 10)) console.error(`DIFFERENT: ${what}: ${line.slice(0, 600)}`);
console.log(`${String(differences.length).padStart(8)}  differences`);
process.exitCode = differences.length === 0 ? 0 : 1;
