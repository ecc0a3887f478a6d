// EnableX's sample as a Lambda function: `crypto.createDecipher`. Node 20 is the last that runs it.
import crypto from 'node:crypto';
import { receivedWith } from './receive.mjs';

export const handler = receivedWith((algorithm, password) => crypto.createDecipher(algorithm, password));
