/** up, down, status, devices, rename, paths, logs: the daemon and what it sees. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { UsageError, connectToDaemon, type DaemonClient } from '../client/daemon-client.ts'
import { KEY_KEEPINGS, readConfig, writeConfig } from '../config.ts'
import { isAlive } from '../daemon/is-alive.ts'
import { action, type CliContext } from './context.ts'
import { keysText } from './keys-text.ts'
import { ago, shortId, table } from './output.ts'
import { relaysText, type RelayCounts } from './relay-texts.ts'
import { addRemovalCommands, removedTable, type RemovedRow } from './removal-commands.ts'
import { addRoleCommands } from './role-commands.ts'
import { notTakenOver } from './start-checks.ts'
import { startDaemon, type UpOptions } from './start-daemon.ts'

export function addDaemonCommands(program: Command): void {
  program
    .command('up')
    .description('start the daemon')
    .option('--name <name>', 'what other devices call this one')
    .option('--keys <how>', `how the keys of a new device are kept: ${KEY_KEEPINGS.join(', ')}; later: which way opens it`)
    .option('--listen <multiaddr...>', 'where to listen (remembered); by default every private interface')
    .option('--mdns', 'look for devices on the local network and be found; the default')
    .option('--no-mdns', 'neither look for devices on the local network nor be found (remembered)')
    .option('--on-removed <what>', 'when this device is removed from its group: keep what is here, or erase it (remembered)')
    .option('--foreground', 'stay attached; ends with Ctrl-C')
    .addHelpText(
      'after',
      '\nA passphrase is asked for; without a terminal it is read from the file named by SEGUE_PASSPHRASE_FILE, or from stdin.',
    )
    .action(action<[UpOptions]>(up))
  program.command('down').description('stop the daemon').action(action(down))
  program.command('status').description('how this device is').action(action(status))
  const group = program.command('devices').description('the devices of your group')
  group.option('--all', 'those that were removed as well').action(action<[{ readonly all?: boolean }]>(devices))
  addRoleCommands(group)
  addRemovalCommands(group)
  program.command('rename <name>').description('change what other devices call this one').action(action<[string]>(rename))
  program.command('paths').description('where things lie on this machine').action(action(paths))
  program
    .command('logs')
    .description('the end of the daemon’s log; it never holds content')
    .option('-n, --lines <count>', 'how many lines', '50')
    .option('--events', 'links, pairings and handoffs with their trace ids instead')
    .action(action<[{ readonly lines: string; readonly events?: boolean }]>(logs))
}

async function up(context: CliContext, options: UpOptions): Promise<void> {
  const { paths: places, output } = context
  const isFirst = (await readConfig(places.config)).keys === undefined
  const launched = await startDaemon(context, options)
  if (launched === undefined) return sayAlreadyUp(context, options)
  const client = await connectToDaemon(places.runtime)
  const now = await client.call<StatusResult>('status')
  const { keys } = now
  const name = now.state === 'open' ? now.device.name : (await readConfig(places.config)).deviceName
  output.data({ state: 'running', name, keys: keys.join(' or '), pid: launched.answer.pid }, () => [
    `Segue is up as “${name}”.`,
    `Its keys lie ${keysText(keys)}.`,
  ])
  if (isFirst) output.note('Next: segue pair new (here) and segue pair join (on the other device).')
  if (options.foreground === true) await stayAttached(context, launched.pid, launched.ended)
}

async function sayAlreadyUp({ output, daemon, paths: places }: CliContext, options: UpOptions): Promise<void> {
  const now = await (await daemon()).call<StatusResult>('status')
  const config = await readConfig(places.config)
  const name = now.state === 'open' ? now.device.name : config.deviceName
  const notTaken = notTakenOver(options, { ...config, deviceName: name, ways: now.keys })
  output.data({ state: 'already-running', ...(now.state === 'locked' ? { isLocked: true } : {}), notTaken }, () =>
    now.state === 'locked' ? 'The daemon is running already, and is locked. segue unlock opens it.' : 'The daemon is running already.',
  )
  if (notTaken.length > 0)
    output.warning(
      `Nothing of ${notTaken.join(', ')} was taken over: it goes on as it is. Stop it first (segue down), then segue up again.`,
    )
}

async function stayAttached({ signal }: CliContext, supervisor: number, ended: Promise<void>): Promise<void> {
  const stop = (): void => {
    if (isAlive(supervisor)) process.kill(supervisor, 'SIGTERM')
  }
  signal.addEventListener('abort', stop, { once: true })
  process.once('SIGTERM', stop)
  await ended
}

async function down({ paths: places, output }: CliContext): Promise<void> {
  const client = await connectToDaemon(places.runtime)
  output.progress('stopping…')
  await stopDaemon(client)
  output.data({ state: 'stopped' }, () => 'Stopped. Everything acknowledged is on disk.')
}

export async function stopDaemon(client: DaemonClient): Promise<void> {
  const { pid, supervisor } = client.address
  await client.call('stop')
  for (let waited = 0; waited < DOWN_MS && (isAlive(pid) || isAlive(supervisor)); waited += DOWN_LOOK_MS) await sleep(DOWN_LOOK_MS)
  if (isAlive(pid)) throw new Error(`The daemon (process ${pid}) does not end. segue logs may say why; everything acknowledged is on disk.`)
}

const DOWN_MS = 20_000
const DOWN_LOOK_MS = 20

async function status({ daemon, output }: CliContext): Promise<number | void> {
  const client = await daemon()
  const value = await client.call<StatusResult>('status')
  if (value.state === 'locked') return sayLocked(output, value)
  output.data({ ...value }, () => {
    const { status: now, device, safeToClose, onRelay } = value
    const storage =
      now.storage.state === 'failing'
        ? `cannot be written; ${now.storage.pending} change(s) are kept in memory. Free some space.`
        : now.storage.damaged > 0
          ? `${now.storage.damaged} damaged record(s), fetched again from other devices`
          : 'good'
    return [
      `${device.name}  ${shortId(device.id)}`,
      ...removedLines(now),
      `  devices   ${now.devices.linked} of ${now.devices.total} linked${now.devices.total === 0 ? ' (segue pair new lets one in)' : pathsText(now.devices.paths)}`,
      ...(now.relays.total === 0 ? [] : [`  relays    ${relaysText(now.relays)}`]),
      `  sessions  ${now.sessions}${now.notHere === 0 ? '' : `; ${now.notHere} not kept here: segue session list, segue deletions`}`,
      `  storage   ${storage}`,
      `  keys      ${keysText(now.keys)}${value.autoLockMinutes === 0 ? '' : `; locked after ${value.autoLockMinutes} min without a command`}`,
      `  close?    ${safeToClose ? 'yes: another device has everything' : onRelay ? 'no other device has everything yet; a relay has it, sealed' : now.devices.total === 0 ? 'this device alone holds your work' : 'not yet: no other device has everything'}`,
      ...(now.backup.isOnlyHere ? ['  backup    not backed up: segue backup FILE, segue relay add or segue pair new'] : []),
      ...(now.advice.includes('single-admin') ? [`  advice    ${SINGLE_ADMIN}`] : []),
      ...(now.notices.total === 0 ? [] : [`  notices   ${noticesText(now.notices)}: segue notices`]),
      ...(now.needsUpdate ? ['  update    your group uses something this version does not know'] : []),
    ]
  })
}

/** Said before anything else: it changes what all the rest means. */
function removedLines({ removed, erasedAt }: StatusResult['status']): readonly string[] {
  if (removed !== undefined)
    return [
      `  REMOVED   ${removed.byName === undefined ? '' : `by “${removed.byName}” `}${ago(Date.now() - removed.at)}. What is here stays readable; nothing new comes.`,
      '            segue session export writes texts out; segue pair join starts afresh as a new device, and sets this aside',
    ]
  if (erasedAt === undefined) return []
  return [
    `  erased    what was here before was erased ${ago(Date.now() - erasedAt)}: the device that this was had been removed from its group`,
  ]
}

/** Such as ` (1 lan, 1 relayed)`. */
function pathsText(paths: Readonly<Record<string, number>>): string {
  const ways = Object.entries(paths).flatMap(([path, count]) => (count === 0 ? [] : [`${count} ${path}`]))
  return ways.length === 0 ? '' : ` (${ways.join(', ')})`
}

function noticesText({ total, warnings }: StatusResult['status']['notices']): string {
  return warnings === 0 ? String(total) : `${total}, ${warnings} to look at`
}

function sayLocked(output: CliContext['output'], { keys, lockedAt }: StatusResult): void {
  output.data({ state: 'locked', keys, ...(lockedAt === undefined ? {} : { lockedAt }) }, () => [
    `locked${lockedAt === undefined ? '' : ` ${ago(Date.now() - lockedAt)}`}: nothing is opened, sent or received. segue unlock opens it.`,
    `  keys      ${keysText(keys)}`,
  ])
}

const SINGLE_ADMIN = 'one admin alone can let devices in or remove them: segue devices promote NAME, or segue recovery create'

interface StatusResult {
  readonly state: 'open' | 'locked'
  readonly keys: readonly string[]
  readonly autoLockMinutes: number
  readonly lockedAt?: number
  readonly device: { readonly id: string; readonly name: string }
  readonly safeToClose: boolean
  readonly onRelay: boolean
  readonly status: {
    readonly storage: { readonly state: string; readonly pending: number; readonly damaged: number }
    readonly keys: readonly string[]
    readonly devices: { readonly total: number; readonly linked: number; readonly paths: Readonly<Record<string, number>> }
    readonly relays: RelayCounts
    readonly sessions: number
    readonly notHere: number
    readonly advice: readonly string[]
    readonly notices: { readonly total: number; readonly warnings: number }
    readonly backup: { readonly isOnlyHere: boolean; readonly lastAt?: number }
    readonly needsUpdate: boolean
    readonly removed?: { readonly byName?: string; readonly at: number }
    readonly erasedAt?: number
  }
}

interface DeviceRow {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly state: string
  readonly path?: string
  readonly sync: string
  readonly unconfirmed: number
  readonly lastSeenAt?: number
  readonly lastSaid?: { readonly at: number; readonly hasSame: boolean }
}

async function devices({ daemon, output }: CliContext, { all = false }: { readonly all?: boolean }): Promise<void> {
  const client = await daemon()
  const { removed, ...value } = await client.call<{ readonly devices: readonly DeviceRow[]; readonly removed: readonly RemovedRow[] }>(
    'devices',
  )
  const show = (): ReturnType<typeof table> =>
    table([
      ['NAME', 'ID', 'ROLE', 'STATE', 'SYNC', 'SEEN'],
      ...value.devices.map(device => [
        device.name,
        shortId(device.id),
        device.role,
        device.state === 'here'
          ? 'this device'
          : device.state === 'linked'
            ? `linked (${device.path ?? '?'})`
            : device.path === 'mailbox'
              ? 'away (mailbox)'
              : 'away',
        syncText(device),
        device.state === 'here' || device.lastSeenAt === undefined ? '' : ago(Date.now() - device.lastSeenAt),
      ]),
    ])
  output.data(all ? { ...value, removed } : { ...value }, () => {
    const { heading, rows } = show()
    if (!all || removed.length === 0) return { heading, rows }
    const gone = removedTable(removed)
    return { heading, rows: [...rows, '', gone.heading, ...gone.rows] }
  })
}

/** Of a device that is away: what it last said that it has. */
function syncText({ state, sync, unconfirmed, lastSaid }: DeviceRow): string {
  if (state === 'here') return ''
  if (sync === 'catching-up') return `${unconfirmed} to go`
  if (sync !== 'unknown' || lastSaid === undefined) return sync
  return lastSaid.hasSame ? 'had everything' : 'had less, or more'
}

async function rename({ daemon, output, paths: places }: CliContext, name: string): Promise<void> {
  await (await daemon()).call('rename', { name })
  await writeConfig(places.config, { ...(await readConfig(places.config)), deviceName: name })
  output.data({ name }, () => `This device is “${name}” now.`)
}

async function paths({ paths: places, output }: CliContext): Promise<void> {
  output.data({ ...places }, () => Object.entries(places).map(([name, place]) => `${name.padEnd(8)} ${String(place)}`))
}

async function logs(
  { paths: places, output, daemon }: CliContext,
  options: { readonly lines: string; readonly events?: boolean },
): Promise<void> {
  const count = Number(options.lines)
  if (!Number.isInteger(count) || count < 1) throw new UsageError('--lines takes a whole number from 1.')
  if (options.events === true) {
    const { events } = await (await daemon()).call<{ events: readonly LogLine[] }>('events', { limit: count })
    return output.data({ events }, () => (events.length === 0 ? 'Nothing happened yet.' : events.map(readable)))
  }
  const file = path.join(places.log, 'segue.log')
  const text = await readFile(file, 'utf8').catch(() => '')
  const lines = text.split('\n').filter(Boolean).slice(-count).map(parsed)
  output.data({ file, lines }, () => (lines.length === 0 ? `There is no log yet (${file}).` : lines.map(readable)))
}

type LogLine = Readonly<Record<string, unknown>>

function parsed(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return { line } // cut off by a crash
  }
}

/** Time, what, then the rest as name=value. */
function readable({ time, level, event, type, ...rest }: LogLine): string {
  const at = time === undefined ? '' : new Date(time as string | number).toISOString()
  const fields = Object.entries(rest).map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  return [at, level, event ?? type, ...fields].filter(part => part !== undefined && part !== '').join('  ')
}
