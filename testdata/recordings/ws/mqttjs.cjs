// MQTT.js: node mqttjs.cjs talk|takeover|rejected URL [JSON options of mqtt.connect]
// Says on standard output every packet it got and how the transport ended.
const mqtt = require('mqtt')
const [scenario, url, extra = '{}'] = process.argv.slice(2)
const defaults = { reconnectPeriod: 0, keepalive: 60, connectTimeout: 4000 }
const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

function start (clientId) {
  const options = { ...defaults, clientId, ...JSON.parse(extra) }
  const client = mqtt.connect(url, options)
  const say = (...words) => console.log(`client ${options.clientId}:`, ...words)
  client.on('packetreceive', p => say('got', p.cmd, p.returnCode ?? p.reasonCode ?? ''))
  client.on('error', e => say('error', e.message))
  client.on('close', () => say('transport closed'))
  return client
}

const once = (client, event) => new Promise(resolve => client.once(event, resolve))

async function talk () {
  const client = start('talker')
  await once(client, 'connect')
  await client.subscribeAsync('room/1/light', { qos: 1 })
  for (let i = 0; i < 2; i++) await client.publishAsync('room/1/light', 'the light is on, '.repeat(5), { qos: 1 })
  await wait(200)
  await client.endAsync()
}

async function takeover () {
  const first = start('twin')
  await once(first, 'connect')
  await wait(200)
  const firstEnds = once(first, 'close')
  const second = start('twin')
  await once(second, 'connect')
  await firstEnds
  await wait(200)
  await second.endAsync()
}

async function rejected () {
  const client = start('stranger')
  await once(client, 'close')
  await client.endAsync(true)
}

setTimeout(() => { console.log('gave up'); process.exit(1) }, 8000).unref()
;({ talk, takeover, rejected })[scenario]().then(() => setTimeout(() => process.exit(0), 300))
