// Aedes: node aedes.cjs PORT PATH [JSON options of ws.Server]; plain MQTT with PATH "tcp".
const http = require('http')
const net = require('net')
const ws = require('ws')
const { Aedes } = require('aedes')
const [port, path, extra = '{}'] = process.argv.slice(2)

Aedes.createBroker().then(broker => {
  broker.on('client', c => console.log('broker: connected', c.id, 'version', c.version))
  broker.on('clientDisconnect', c => console.log('broker: disconnected', c.id))
  broker.on('clientError', (c, e) => console.log('broker: error of', c.id, e.message))
  broker.on('connectionError', (c, e) => console.log('broker: connection error', c.id, e.message))
  const listening = () => console.log('broker: listening')
  if (path === 'tcp') return net.createServer(broker.handle).listen(port, '127.0.0.1', listening)

  const server = http.createServer((request, response) => { response.writeHead(426); response.end('Upgrade Required') })
  const sockets = new ws.Server({ server, path, ...JSON.parse(extra) })
  sockets.on('connection', (socket, request) => {
    console.log('broker: upgraded', request.url, 'protocol', JSON.stringify(socket.protocol), 'extensions', JSON.stringify(socket.extensions))
    socket.on('close', code => console.log('broker: websocket closed', code))
    const stream = ws.createWebSocketStream(socket)
    stream.on('error', e => console.log('broker: stream error', e.message))
    broker.handle(stream, request)
  })
  server.listen(port, '127.0.0.1', listening)
})
