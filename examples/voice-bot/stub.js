// A stub of EnableX's REST API: remembers what it was asked, and answers as told.
import { createServer } from 'node:http';

export async function startStub(t) {
  const requests = [];
  const answers = []; // statuses of the next requests; 200 after that
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const body = Buffer.concat(chunks).toString();
    requests.push({ method: request.method, path: request.url, authorization: request.headers.authorization, body: body && JSON.parse(body) });
    const status = answers.shift() ?? 200;
    if (status === 'silence') return;
    response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  t.after(() => { server.closeAllConnections(); server.close(); });
  return { requests, answers, baseUrl: `http://127.0.0.1:${server.address().port}/voice/v1` };
}
