/**
 * The daemon: one process that holds the store, the links and the API. Started by the supervisor (or by a test) with one
 * StartMessage on stdin; says `ready` or `failed` over IPC; ends cleanly on SIGTERM, SIGINT or the `stop` command.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { createLineLogger, isSegueError, openLockable, type LockableSegue } from '@segue/engine'
import { API_VERSION } from './api.ts'
import type { DaemonControl } from './command.ts'
import { COMMANDS } from './commands.ts'
import { openLogFile } from './log-file.ts'
import { publishAddress } from './runtime-file.ts'
import { createApiServer } from './server.ts'
import { EXIT_ERASED, EXIT_LOCKED, EXIT_NOT_STARTED, type StartAnswer, type StartChange, type StartMessage } from './start-message.ts'
import { unlockOf } from './unlocking.ts'

const message = await readStartMessage()
const log = openLogFile(message.paths.log)
const logger = createLineLogger(line => log.write(line))
process.on('uncaughtException', error => {
  logger.error('uncaught', { error: describe(error) })
  tell({ type: 'failed', code: 'INTERNAL', message: `Segue could not start: ${error.message}. segue logs has more.` })
  void log.close().then(() => process.exit(1))
})

let autoLockMinutes = message.autoLockMinutes
let device: LockableSegue
try {
  const { unlock, paths } = message
  device = await openLockable({
    directory: paths.data,
    device: { name: message.deviceName },
    ...(unlock.kind === 'locked' ? { startLocked: true } : { unlock: unlockOf(unlock, paths) }),
    autoLockAfterMs: minutesInMs(autoLockMinutes),
    ...(message.onRemoved === undefined ? {} : { onRemoved: message.onRemoved }),
    network: { mdns: message.mdns, ...(message.listen === undefined ? {} : { listen: message.listen }) },
    logger,
  })
} catch (error) {
  logger.error('start-failed', isSegueError(error) ? { code: error.code, error: error.message } : { error: describe(error) })
  tell({
    type: 'failed',
    code: isSegueError(error) ? error.code : 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    ...(isSegueError(error) ? { details: error.details } : {}),
  })
  await log.close()
  process.exit(EXIT_NOT_STARTED)
}

const first = device.state.peek()
if (first.kind === 'open') await first.segue.sessions.whenListed() // so that the first command sees every session
const token = randomBytes(32).toString('base64url')
const daemon: DaemonControl = {
  device,
  paths: message.paths,
  autoLockMinutes: () => autoLockMinutes,
  startNextWith(change) {
    if ('autoLockMinutes' in change) {
      autoLockMinutes = change.autoLockMinutes
      device.autoLockAfter(minutesInMs(autoLockMinutes))
    }
    tell({ type: 'start-with', change })
  },
}
const server = await createApiServer({
  daemon,
  commands: COMMANDS,
  token,
  stop: () => void shutDown(),
  onInternalError: (error, command) => logger.error('command-failed', { command, error: describe(error) }),
})
// Locked by itself: nobody waits for an answer. Locked by a command: that one stops it once it is answered.
device.state.subscribe(state => {
  if (state.kind === 'locked' && state.by === 'idle') void shutDown()
})
/** Removed, and erased as it was told to: nothing is left to serve. */
const watchRemoval = (): void => {
  const state = device.state.peek()
  if (state.kind !== 'open') return
  const { removal } = state.segue
  removal.subscribe(own => {
    if (own?.content === 'erased') void endErased()
  })
}
device.state.subscribe(watchRemoval)
watchRemoval()
await publishAddress(message.paths.runtime, {
  apiVersion: API_VERSION,
  pid: process.pid,
  supervisor: process.ppid,
  port: server.port,
  token,
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void shutDown())
logger.info('ready', { port: server.port, pid: process.pid })
tell({ type: 'ready', port: server.port, pid: process.pid })

let ending: Promise<void> | undefined
function shutDown(): Promise<void> {
  return (ending ??= (async () => {
    const state = device.state.peek()
    const isToGoOnLocked = state.kind === 'locked' && state.by !== 'start'
    logger.info(isToGoOnLocked ? 'locked' : 'stopping')
    // First: should this end badly, nobody starts it again. One that is locked is started again, and clients wait for that.
    if (!isToGoOnLocked) await rm(message.paths.runtime, { force: true })
    await server.close()
    await device.close().catch((error: unknown) => logger.error('close-failed', { error: describe(error) }))
    await log.close()
    process.exit(isToGoOnLocked ? EXIT_LOCKED : 0)
  })())
}

async function endErased(): Promise<void> {
  logger.warn('removed-and-erased')
  await server.close()
  await log.close()
  process.exit(EXIT_ERASED)
}

async function readStartMessage(): Promise<StartMessage> {
  const input = createInterface({ input: process.stdin })
  const [line] = (await once(input, 'line')) as [string]
  input.close()
  return JSON.parse(line) as StartMessage
}

function minutesInMs(minutes: number | undefined): number | undefined {
  return minutes === undefined || minutes === 0 ? undefined : minutes * 60_000
}

function tell(news: StartAnswer | StartChange): void {
  if (process.connected) process.send?.(news)
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
