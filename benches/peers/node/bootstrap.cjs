// The least that the Runtime API asks of a runtime: it replaces Lambda's own, which is not available here.
const http = require('node:http');
const { handler } = require('./index.cjs');

const agent = new http.Agent({ keepAlive: true });
const api = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation`;

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const request = http.request(`${api}/${path}`, { method, agent, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts).toString() }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

(async () => {
  for (;;) {
    const invocation = await call('GET', 'next');
    const answer = await handler(JSON.parse(invocation.body));
    await call('POST', `${invocation.headers['lambda-runtime-aws-request-id']}/response`, JSON.stringify(answer));
  }
})();
