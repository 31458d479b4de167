// Eclipse Paho JavaScript, with the ws package as the browser's WebSocket:
// node pahojs.cjs talk|rejected HOST PORT
global.WebSocket = require('ws')
const Paho = require('paho-mqtt')
const [scenario, host, port] = process.argv.slice(2)
const client = new Paho.Client(host, Number(port), '/mqtt', 'paho-js')
client.onConnectionLost = r => console.log('client paho-js: lost', r.errorCode, r.errorMessage)
client.onMessageArrived = m => {
  console.log('client paho-js: got', m.payloadString.length, 'bytes on', m.destinationName)
  client.disconnect()
}
client.connect({
  timeout: 4,
  onSuccess: () => {
    console.log('client paho-js: connected')
    client.subscribe('room/1/light', { qos: 1, onSuccess: () => client.send('room/1/light', 'on', 1) })
  },
  // Without mqttVersion, Paho tries 3.1.1 and, after a failure, 3.1.
  onFailure: r => console.log('client paho-js: failed', scenario, r.errorCode, r.errorMessage)
})
setTimeout(() => process.exit(0), 2500)
