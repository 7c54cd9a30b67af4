/** The app on automerge-repo's own adapters: a WebSocket server that all devices must reach, and files. */
import { Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter, WebSocketServerAdapter } from '@automerge/automerge-repo-network-websocket'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { WebSocketServer } from 'ws'
import { runTodo } from './todo.ts'

const [directory = 'todo-data', own = '3030', other] = process.argv.slice(2)
const network =
  other === undefined
    ? new WebSocketServerAdapter(new WebSocketServer({ host: '127.0.0.1', port: Number(own) }))
    : new WebSocketClientAdapter(other)
const storage = new NodeFSStorageAdapter(directory)
await runTodo(new Repo({ network: [network], storage }))
