/**
 * Joins another group with work of its own, until it is killed: `node adoption-process.mjs DIRECTORY TEXT`, on the built engine. Says over
 * IPC the digits, and that it is through.
 */
import { keyFile, openSegue } from '@segue/engine'

const [directory = '', text = ''] = process.argv.slice(2)
process.on('disconnect', () => process.exit(0))
const network = { mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] }
const segue = await openSegue({ directory, device: { name: 'phone' }, unlock: keyFile(`${directory}.key`), network })
const joining = await segue.pairing.join(text, { adopt: () => true })
process.send?.({ code: joining.code })
const outcome = await joining.done
process.send?.({ outcome: outcome.ok })
