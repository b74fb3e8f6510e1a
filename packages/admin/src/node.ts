/**
 * Between Node's own http and the admin: for hosts that give an IncomingMessage and a ServerResponse.
 *
 * @packageDocumentation
 */

export { sendResponse } from './node/send-response.ts'
export { type NodeRequestOptions, toRequest } from './node/to-request.ts'
