// A webhook's request as a curl command.

const QUOTE = /'/g;
const ADDED_BY_CLIENTS = new Set(['host', 'content-length', 'connection', 'accept', 'accept-encoding', 'user-agent', 'transfer-encoding']);

/** The curl command that sends the same request. */
export const curl = (webhook, origin) => {
  const quoted = (text) => `'${text.replace(QUOTE, String.raw`'\''`)}'`;
  const headers = webhook.request.headers.filter(([header]) => !ADDED_BY_CLIENTS.has(header));
  const words = ['curl -i', webhook.method === 'POST' ? '' : `-X ${webhook.method}`, quoted(origin + webhook.request.target)]
    .concat(headers.map(([header, value]) => `-H ${quoted(`${header}: ${value}`)}`))
    .concat(webhook.request.body ? [`--data-binary ${quoted(webhook.request.body)}`] : []);
  return words.filter(Boolean).join(' ');
};
