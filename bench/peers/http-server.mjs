// Node's own HTTP server with one file of so many bytes: what httpd is measured beside. Prints its port.
import http from 'node:http';

const body = Buffer.alloc(Number(process.argv[2]), 'x');
const server = http.createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': body.length });
  response.end(body);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
