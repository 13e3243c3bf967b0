'use strict'
// An application of somebody else's: the africastalking package as published, and its own little server for what comes back.
// Only the hosts are changed: every request goes to the emulator (EMULATOR_URL) instead. Talks to ../test_node.py by lines of
// JSON: says where it listens, is told what to do (one line each), says what came of it; at the end, what callbacks it got.

const http = require('node:http')
const { createRequire } = require('node:module')
const readline = require('node:readline')

// The package's own axios. It makes instances of its own, to which interceptors do not apply; the adapter they all share.
const axios = createRequire(require.resolve('africastalking'))('axios')
const emulator = process.env.EMULATOR_URL
const hosts = new Set()
const send = axios.getAdapter('http')
axios.defaults.adapter = (config) => {
  const asked = new URL(config.url, config.baseURL)
  hosts.add(asked.host)
  return send({ ...config, baseURL: undefined, proxy: false, url: emulator + asked.pathname + asked.search })
}

const africastalking = require('africastalking')({ apiKey: 'key', username: 'sandbox' })
const { SMS, AIRTIME, VOICE, APPLICATION, TOKEN, INSIGHTS, MOBILE_DATA, WHATSAPP } = africastalking
const voiceNumber = '+254711082000'

const orders = {
  sms: ({ to }) => SMS.send({ to, message: 'Habari + 100% ñ', from: 'POKEA' }),
  premium: ({ to, linkId }) => SMS.sendPremium({ to, message: 'Habari', from: '12345', keyword: 'news', linkId }),
  fetch: () => SMS.fetchMessages({ lastReceivedId: 0 }),
  subscribe: ({ to }) => SMS.createSubscription({ shortCode: '12345', keyword: 'news', phoneNumber: to }),
  subscribers: () => SMS.fetchSubscription({ shortCode: '12345', keyword: 'news' }),
  unsubscribe: ({ to }) => SMS.deleteSubscription({ shortCode: '12345', keyword: 'news', phoneNumber: to }),
  airtime: ({ to }) => AIRTIME.send({ recipients: [{ phoneNumber: to, currencyCode: 'KES', amount: 25 }], idempotencyKey: 'once' }),
  airtimeStatus: ({ id }) => AIRTIME.findTransactionStatus(id),
  call: ({ to }) => VOICE.call({ callFrom: voiceNumber, callTo: [to], clientRequestId: 'order-7' }),
  queued: () => VOICE.getNumQueuedCalls({ phoneNumbers: voiceNumber }),
  upload: () => VOICE.uploadMediaFile({ phoneNumber: voiceNumber, url: 'https://example.com/hold.mp3' }),
  application: () => APPLICATION.fetchApplicationData(),
  token: () => TOKEN.generateAuthToken(),
  simSwap: ({ to }) => INSIGHTS.checkSimSwapState([to]),
  data: ({ to }) => MOBILE_DATA.send({
    productName: 'bundles',
    recipients: [{ phoneNumber: to, quantity: 50, unit: 'MB', validity: 'BiWeek', metadata: { order: '7' } }]
  }),
  dataFound: ({ id }) => MOBILE_DATA.findTransaction({ transactionId: id }),
  wallet: () => MOBILE_DATA.fetchWalletBalance(),
  whatsapp: ({ to }) => WHATSAPP.sendMessage({ waNumber: voiceNumber, phoneNumber: to, body: { message: 'Habari' } }),
  wrongKey: ({ to }) => require('africastalking')({ apiKey: 'wrong', username: 'sandbox' }).SMS.send({ to, message: 'Habari' })
}

// The package's USSD handler is made for express: these are the parts of it that it uses.
const [parse, answerUssd] = africastalking.USSD((params, next) => {
  if (params.text === '') next({ response: 'Your name?', endSession: false })
  else next({ response: `Karibu ${params.text}`, endSession: true })
})
function ussd (request, response) {
  response.contentType = (type) => response.setHeader('Content-Type', type)
  response.status = (code) => { response.statusCode = code; return response }
  response.send = (text) => response.end(text)
  parse(request, response, () => answerUssd(request, response, () => response.writeHead(500).end()))
}

function instruct (body, response) {
  const digits = new URLSearchParams(body).get('dtmfDigits')
  const builder = new VOICE.ActionBuilder()
  const document = digits
    ? builder.say(`You pressed ${digits}`, { voice: 'woman' }).conference()
    : builder.getDigits({ say: { text: 'Press one' } }, { numDigits: 1, finishOnKey: '#', timeout: 20 })
  response.setHeader('Content-Type', 'application/xml')
  response.end(document.build())
}

const callbacks = []
const server = http.createServer((request, response) => {
  const parts = []
  request.on('data', (part) => parts.push(part))
  const kind = request.url.slice(1)
  if (kind === 'ussd.session') ussd(request, response)
  request.on('end', () => {
    const body = Buffer.concat(parts).toString()
    const { 'content-type': media, 'user-agent': agent } = request.headers
    callbacks.push({ kind, media, agent, body })
    if (kind === 'voice.instructions') instruct(body, response)
    else if (kind === 'airtime.validation') response.end(JSON.stringify({ status: 'Validated' }))
    else if (kind !== 'ussd.session') response.end()
  })
})

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const reason = (error) => error.response ? { status: error.response.status, body: error.response.data } : { problem: String(error.message || error) }

server.listen(0, '127.0.0.1', async () => {
  say({ port: server.address().port })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { order, ...given } = JSON.parse(line)
    await orders[order](given).then((answer) => say({ answer }), (error) => say({ refused: reason(error) }))
  }
  server.close(() => say({ callbacks, hosts: [...hosts].sort() }))
  server.closeAllConnections()
})
