// A webhook's request as a curl command.

const QUOTE = /'/g;
const ADDED_BY_CLIENTS = new Set(['host', 'content-length', 'connection', 'accept', 'accept-encoding', 'user-agent', 'transfer-encoding']);

/** In place of a masked token, between the quotes of a shell. */
const TOKEN = `'"$WEBHOOK_TOKEN"'`;

/** The most bytes of a binary body on a command line. */
const MOST_BYTES = 32768;

/** The curl command that sends the same request, unless its body is binary and too long. */
export const curl = (webhook, origin) => {
  const quoted = (text) => `'${text.replace(QUOTE, String.raw`'\''`)}'`;
  const headers = webhook.request.headers.filter(([header]) => !ADDED_BY_CLIENTS.has(header));
  const { body, body_hex: hex } = webhook.request;
  if (hex && webhook.bytes > MOST_BYTES) return undefined;
  const words = [hex ? `printf %s ${hex} | xxd -r -p | curl -i` : 'curl -i', webhook.method === 'POST' ? '' : `-X ${webhook.method}`, quoted(origin + webhook.request.target).replaceAll('***', TOKEN)]
    .concat(headers.map(([header, value]) => `-H ${quoted(`${header}: ${value}`)}`))
    .concat(hex ? ['--data-binary @-'] : body ? [`--data-binary ${quoted(body)}`] : []);
  return words.filter(Boolean).join(' ');
};
