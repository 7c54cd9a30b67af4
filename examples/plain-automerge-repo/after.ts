/** The same app on Segue's adapters: devices talk to each other, encrypted, and to nobody else; what was saved is on disk. */
import { Repo } from '@automerge/automerge-repo'
import { SegueNetworkAdapter } from '@segue/net/automerge-repo'
import { createLevelStorage, openDeviceKeys, type DeviceKeys } from '@segue/storage/automerge-repo'
import { runTodo } from './todo.ts'

const [directory = 'todo-data', own = '/ip4/127.0.0.1/tcp/4001', other] = process.argv.slice(2)
const { id, signing } = await openDeviceKeys(`${directory}/device-keys`)
console.log(`this device: ${own}/p2p/${id}`)
const members = new Map(other === undefined ? [] : [[other.split('/p2p/')[1] as DeviceKeys['id'], [other]]])
const network = new SegueNetworkAdapter({ signing, members, listen: [own] })
const storage = createLevelStorage({ directory: `${directory}/store` })
await runTodo(new Repo({ network: [network], storage }))
