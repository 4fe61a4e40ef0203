// One HTTP/1.1 request, for tests that count outcomes.
import * as http from 'node:http'

/** `STATUS BODY`, or the code of the error. */
export function get(
  port: number,
  agent: http.Agent | false,
  path = '/x',
  headers: http.OutgoingHttpHeaders = {},
): Promise<string> {
  return new Promise((resolve) => {
    const sent = http.get({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
      response.on('error', (error: NodeJS.ErrnoException) => resolve(`${error.code}`))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(`${error.code}`))
  })
}
