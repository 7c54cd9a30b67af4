/**
 * The daemon: one process that holds the store, the links and the API. Started by the supervisor (or by a test) with one
 * StartMessage on stdin; says `ready` or `failed` over IPC; ends cleanly on SIGTERM, SIGINT or the `stop` command.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createLineLogger, isSegueError, keyFile, keychain, openSegue, passphrase, type Segue, type Unlock } from '@segue/engine'
import { API_VERSION, type DaemonAddress } from './api.ts'
import { COMMANDS } from './commands.ts'
import { openLogFile } from './log-file.ts'
import { createApiServer } from './server.ts'
import { EXIT_NOT_STARTED, type StartAnswer, type StartMessage } from './start-message.ts'

const message = await readStartMessage()
const log = openLogFile(message.paths.log)
const logger = createLineLogger(line => log.write(line))
process.on('uncaughtException', error => {
  logger.error('uncaught', { error: describe(error) })
  say({ type: 'failed', code: 'INTERNAL', message: `Segue could not start: ${error.message}. segue logs has more.` })
  void log.close().then(() => process.exit(1))
})

let segue: Segue
try {
  segue = await openSegue({
    directory: message.paths.data,
    device: { name: message.deviceName },
    unlock: unlockOf(message),
    network: { mdns: message.mdns, ...(message.listen === undefined ? {} : { listen: message.listen }) },
    logger,
  })
} catch (error) {
  logger.error('start-failed', isSegueError(error) ? { code: error.code, error: error.message } : { error: describe(error) })
  say({
    type: 'failed',
    code: isSegueError(error) ? error.code : 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
  })
  await log.close()
  process.exit(EXIT_NOT_STARTED)
}

await segue.sessions.whenListed() // so that the first command sees every session
const token = randomBytes(32).toString('base64url')
const server = await createApiServer({
  segue,
  commands: COMMANDS,
  token,
  stop: () => void shutDown(),
  onInternalError: (error, command) => logger.error('command-failed', { command, error: describe(error) }),
})
await publish({ apiVersion: API_VERSION, pid: process.pid, supervisor: process.ppid, port: server.port, token })
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void shutDown())
logger.info('ready', { port: server.port, pid: process.pid })
say({ type: 'ready', port: server.port, pid: process.pid })

let ending: Promise<void> | undefined
function shutDown(): Promise<void> {
  return (ending ??= (async () => {
    logger.info('stopping')
    await rm(message.paths.runtime, { force: true }) // first: should this end badly, nobody starts it again
    await server.close()
    await segue.close().catch((error: unknown) => logger.error('close-failed', { error: describe(error) }))
    await log.close()
    process.exit(0)
  })())
}

async function readStartMessage(): Promise<StartMessage> {
  const input = createInterface({ input: process.stdin })
  const [line] = (await once(input, 'line')) as [string]
  input.close()
  return JSON.parse(line) as StartMessage
}

function unlockOf({ unlock, paths }: StartMessage): Unlock {
  switch (unlock.kind) {
    case 'keychain':
      return keychain()
    case 'passphrase':
      return passphrase(unlock.passphrase)
    case 'key-file':
      return keyFile(path.join(path.dirname(paths.data), 'device.key'))
  }
}

/** Atomic, and only this user can read it: it holds the token. */
async function publish(address: DaemonAddress): Promise<void> {
  const file = message.paths.runtime
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(`${file}.new`, JSON.stringify(address), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

function say(answer: StartAnswer): void {
  if (process.connected) process.send?.(answer)
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
