// Encrypts with Node's own crypto.createCipher, every algorithm in every format and encoding, and prints one JSON
// object a line: { algorithm, format, encoding, appId, event, encryptedData }.
// Called with arguments (app id, then events), it encrypts those as EnableX does today: AES-256-CBC, hex, UTF-8.
'use strict';
const { createCipher, randomBytes } = require('crypto');

function print(algorithm, format, encoding, appId, event) {
  const cipher = createCipher(algorithm, appId);
  const encryptedData = cipher.update(event, encoding, format) + cipher.final(format);
  console.log(JSON.stringify({ algorithm, format, encoding, appId, event, encryptedData }));
}

const [appId, ...events] = process.argv.slice(2);
if (appId !== undefined) {
  for (const event of events) print('aes-256-cbc', 'hex', 'utf8', appId, event);
  return;
}
const modes = ['cbc', 'ctr', 'cfb', 'cfb8', 'ofb', 'ecb'];
const algorithms = [128, 192, 256].flatMap((bits) => [`aes${bits}`, ...modes.map((mode) => `AES-${bits}-${mode}`)]);
for (const algorithm of algorithms) {
  for (const format of ['hex', 'base64', 'base64url', 'latin1', 'binary']) {
    for (const encoding of ['utf8', 'utf-8', 'ascii', 'latin1', 'binary', 'utf16le', 'utf-16le', 'ucs2', 'ucs-2']) {
      const text = { ascii: 'Hello', latin1: 'Grüße', binary: 'Grüße' }[encoding] || 'नमस्ते 📞';
      const filler = 'x'.repeat(randomBytes(1)[0]);
      const appId = `ключ ${randomBytes(12).toString('hex')}`;
      print(algorithm, format, encoding, appId, JSON.stringify({ state: 'connected', text, filler }));
    }
  }
}
