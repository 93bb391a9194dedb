// One session of intuit-oauth and node-quickbooks with the emulator; what they got is printed as JSON.
// The clients come from the lines that `vantage-quickbooks emulator --for` prints, written beside this file.
// Usage: node session.cjs <address> <realm>

const OAuthClient = require('intuit-oauth')
const authClient = require('./node-intuit-oauth.cjs')
const quickBooks = require('./node-quickbooks.cjs')

const [address, realm] = process.argv.slice(2)
const result = {}

// node-quickbooks calls back; an error of axios holds what Intuit said
const call = (qbo, name, ...args) => new Promise((resolve, reject) => {
  qbo[name](...args, (error, body) => error ? reject(Object.assign(new Error(name), { cause: error })) : resolve(body))
})
const code = async (promise) => {
  try {
    await promise
    return 'no error'
  } catch (error) {
    return error.cause.response.data.Fault.Error[0].code
  }
}
const line = {
  Amount: 100, DetailType: 'SalesItemLineDetail', SalesItemLineDetail: { ItemRef: { value: '1' }, UnitPrice: 25, Qty: 4 }
}

// A person agrees on the page that the client leads to.
async function agree (url) {
  const asked = new URL(url).searchParams
  const page = await fetch(url)
  result.consent = page.status
  const form = new URLSearchParams(asked)
  form.set('decision', 'approve')
  form.set('realm', realm)
  const answer = await fetch(address + '/connect/oauth2', { method: 'POST', body: form, redirect: 'manual' })
  return answer.headers.get('location')
}

async function authorize () {
  const client = authClient
  const first = (await client.refresh()).getJson()
  result.refreshedFirst = [first.token_type, client.getToken().realmId]
  const back = await agree(client.authorizeUri({ scope: [OAuthClient.scopes.Accounting], state: 'a state' }))
  const created = (await client.createToken(back)).getJson()
  result.created = [created.token_type, created.expires_in, client.getToken().realmId, client.getToken().state]
  result.accessTokenIsValid = client.isAccessTokenValid()
  const refreshed = (await client.refresh()).getJson()
  result.refreshed = [refreshed.access_token !== created.access_token, refreshed.refresh_token === created.refresh_token]
  const info = await client.makeApiCall({ url: `v3/company/${realm}/companyinfo/${realm}` })
  result.company = info.json.CompanyInfo.CompanyName
  return client
}

async function books (token) {
  const qbo = quickBooks
  qbo.refreshToken = token.refresh_token
  await call(qbo, 'refreshAccessToken')
  const since = new Date(Date.now() - 60_000).toISOString()

  const customer = await call(qbo, 'createCustomer', { DisplayName: "O'Brien & Sons" })
  result.customer = [customer.DisplayName, (await call(qbo, 'getCustomer', customer.Id)).SyncToken]
  const found = await call(qbo, 'findCustomers', { DisplayName: "O'Brien & Sons" })
  result.found = found.QueryResponse.Customer.map((row) => row.Id === customer.Id)
  const all = await call(qbo, 'findCustomers', { fetchAll: true, limit: 7 })
  result.all = all.QueryResponse.Customer.length
  result.count = (await call(qbo, 'findCustomers', { count: true })).QueryResponse.totalCount
  const changed = await call(qbo, 'updateCustomer', { ...customer, sparse: true, Notes: 'changed' })
  result.changed = [changed.Notes, changed.SyncToken]
  result.stale = await code(call(qbo, 'updateCustomer', { ...customer, sparse: true, Notes: 'late' }))
  result.duplicate = await code(call(qbo, 'createCustomer', { DisplayName: "O'Brien & Sons" }))

  const invoice = await call(qbo, 'createInvoice', { CustomerRef: { value: customer.Id }, Line: [line] })
  result.invoice = [invoice.TotalAmt, invoice.Balance, invoice.CustomerRef.name]
  const again = { CustomerRef: { value: customer.Id }, Line: [line] }
  const first = await call(qbo, 'createInvoice', { ...again, requestId: 'once' })
  result.once = first.Id === (await call(qbo, 'createInvoice', { ...again, requestId: 'once' })).Id
  result.voided = (await call(qbo, 'voidInvoice', { Id: first.Id, SyncToken: first.SyncToken })).Invoice.PrivateNote
  const batch = await call(qbo, 'batch', [
    { bId: 'a', operation: 'create', Vendor: { DisplayName: 'Sage Supply' } },
    { bId: 'b', operation: 'delete', Invoice: { Id: '999999', SyncToken: '0' } },
    { bId: 'c', Query: 'select count(*) from Invoice' }
  ])
  result.batch = batch.BatchItemResponse.map((item) => [item.bId, Object.keys(item).find((key) => key !== 'bId')])
  const pdf = await call(qbo, 'getInvoicePdf', invoice.Id)
  result.pdf = Buffer.from(pdf).subarray(0, 5).toString() === '%PDF-'
  const sent = await call(qbo, 'sendInvoicePdf', invoice.Id, 'mira@lund.example')
  result.sent = [sent.EmailStatus, sent.BillEmail.Address]
  const attached = await call(qbo, 'upload', 'plan.txt', 'text/plain', Buffer.from('plan'), 'Invoice', invoice.Id)
  result.attached = [attached.FileName, attached.Size, attached.AttachableRef[0].EntityRef.type]
  const rates = await call(qbo, 'findTaxRates', { Name: 'California' })
  result.rates = rates.QueryResponse.TaxRate.map((rate) => rate.Name)
  const deleted = await call(qbo, 'deleteInvoice', invoice.Id)
  result.deleted = deleted.Invoice.status
  const changes = await call(qbo, 'changeDataCapture', ['Customer', 'Invoice', 'Payment'], since)
  result.changes = changes.CDCResponse[0].QueryResponse.map((group) => Object.keys(group)[0] || '')
  result.graves = changes.CDCResponse[0].QueryResponse[1].Invoice.filter((row) => row.status === 'Deleted').length
  await call(qbo, 'revokeAccess', true)
  result.revoked = await call(qbo, 'getCustomer', '1').catch((error) => error.cause.response.status)
}

authorize().then((client) => books(client.getToken())).then(
  () => console.log(JSON.stringify(result)),
  (error) => { console.error(error); process.exitCode = 1 }
)
