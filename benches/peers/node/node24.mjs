// The same on Node 24, which has no `crypto.createDecipher`: with OpenSSL's EVP_BytesToKey written by hand.
import crypto from 'node:crypto';
import { receivedWith } from './receive.mjs';

function keyAndIv(algorithm, password) {
  const { keyLength, ivLength = 0 } = crypto.getCipherInfo(algorithm);
  let [derived, block] = [Buffer.alloc(0), Buffer.alloc(0)];
  while (derived.length < keyLength + ivLength) {
    block = crypto.createHash('md5').update(block).update(password).digest();
    derived = Buffer.concat([derived, block]);
  }
  return [derived.subarray(0, keyLength), derived.subarray(keyLength, keyLength + ivLength)];
}

export const handler = receivedWith((algorithm, password) =>
  crypto.createDecipheriv(algorithm, ...keyAndIv(algorithm, password)),
);
