/** up, down, status, devices, paths, logs: the daemon and what it sees. */
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SegueError } from '@segue/engine'
import type { Command } from 'commander'
import { DaemonDown, UsageError, connectToDaemon } from '../client/daemon-client.ts'
import { KEY_KEEPINGS, readConfig, writeConfig, type KeyKeeping } from '../config.ts'
import { launchDaemon } from '../daemon/launch.ts'
import type { StartMessage } from '../daemon/start-message.ts'
import { askSecret } from './ask.ts'
import { action, type CliContext } from './context.ts'
import { ago, shortId, table } from './output.ts'

interface UpOptions {
  readonly name?: string
  readonly keys?: string
  readonly listen?: readonly string[]
  readonly mdns: boolean
  readonly foreground?: boolean
}

export function addDaemonCommands(program: Command): void {
  program
    .command('up')
    .description('start the daemon')
    .option('--name <name>', 'what other devices call this one (remembered)')
    .option('--keys <how>', `how the keys are kept: ${KEY_KEEPINGS.join(', ')} (remembered)`)
    .option('--listen <multiaddr...>', 'where to listen (remembered); by default every private interface')
    .option('--no-mdns', 'neither look for devices on the local network nor be found (remembered)')
    .option('--foreground', 'stay attached; ends with Ctrl-C')
    .addHelpText('after', '\nA passphrase is asked for; without a terminal it is read from the file named by SEGUE_PASSPHRASE_FILE, or from stdin.')
    .action(action<[UpOptions]>(up))
  program.command('down').description('stop the daemon').action(action(down))
  program.command('status').description('how this device is').action(action(status))
  program.command('devices').description('the devices of your group').action(action(devices))
  program.command('rename <name>').description('what other devices call this one').action(action<[string]>(rename))
  program.command('paths').description('where things lie on this machine').action(action(paths))
  program
    .command('logs')
    .description('the end of the daemon’s log, or what happened, without content')
    .option('-n, --lines <count>', 'how many lines', '50')
    .option('--events', 'links, pairings and handoffs with their trace ids instead of the log')
    .action(action<[{ readonly lines: string; readonly events?: boolean }]>(logs))
}

async function up(context: CliContext, options: UpOptions): Promise<number | void> {
  const { paths, output } = context
  if (await isUp(paths.runtime)) {
    output.data({ state: 'already-running' }, () => 'The daemon is running already.')
    return
  }
  const before = await readConfig(paths.config)
  if (options.keys !== undefined && !(KEY_KEEPINGS as readonly string[]).includes(options.keys)) {
    throw new UsageError(`--keys takes one of: ${KEY_KEEPINGS.join(', ')}`)
  }
  const config = {
    ...before,
    ...(options.name === undefined ? {} : { deviceName: options.name }),
    ...(options.listen === undefined ? {} : { listen: options.listen }),
    ...(options.mdns ? {} : { mdns: false }),
    keys: (options.keys as KeyKeeping | undefined) ?? before.keys ?? 'keychain',
  }
  const message: StartMessage = {
    paths,
    deviceName: config.deviceName,
    unlock: config.keys === 'passphrase' ? { kind: 'passphrase', passphrase: await readPassphrase() } : { kind: config.keys },
    listen: config.listen,
    mdns: config.mdns,
  }
  output.progress('starting…')
  const { answer, pid } = await launchDaemon(message, { attached: options.foreground === true })
  if (answer.type === 'failed') throw failureOf(answer)
  await writeConfig(paths.config, config)
  output.data({ state: 'running', name: config.deviceName, keys: config.keys, pid: answer.pid }, () => [
    `Segue is up as “${config.deviceName}”.`,
    ...(config.keys === 'key-file' ? ['Keys lie in a file beside the store: whoever reads both reads everything.'] : []),
    'Next: segue pair new (here) and segue pair join (on the other device).',
  ])
  if (options.foreground === true) await stayAttached(context, pid)
}

async function readPassphrase(): Promise<string> {
  const file = process.env['SEGUE_PASSPHRASE_FILE']
  const passphrase = file === undefined ? await askSecret('Passphrase of this device:') : (await readFile(file, 'utf8')).replace(/\r?\n$/, '')
  if (passphrase === '') throw new UsageError('An empty passphrase protects nothing. Type one, or choose --keys keychain or --keys key-file.')
  return passphrase
}

function failureOf(answer: { readonly code: string; readonly message: string }): Error {
  if (answer.code === 'UNLOCK_NEEDED') {
    return new Error(
      'This machine has no keychain that works. Choose how to keep the keys: segue up --keys passphrase (asks each time), or --keys key-file (a file that only you can read).',
    )
  }
  return answer.code === 'INTERNAL' ? new Error(answer.message) : new SegueError(answer.code as never)
}

async function stayAttached({ signal }: CliContext, supervisor: number): Promise<void> {
  await new Promise<void>(resolve => {
    signal.addEventListener('abort', () => resolve(), { once: true })
    process.once('SIGTERM', () => resolve())
  })
  process.kill(supervisor, 'SIGTERM')
}

async function down({ paths, output }: CliContext): Promise<void> {
  const client = await connectToDaemon(paths.runtime)
  await client.call('stop')
  for (let waited = 0; waited < 20_000 && isAlive(client.address.pid); waited += 50) await sleep(50)
  output.data({ state: 'stopped' }, () => 'Stopped. Everything acknowledged is on disk.')
}

async function status({ daemon, output }: CliContext): Promise<number | void> {
  const client = await daemon()
  const value = await client.call<StatusResult>('status')
  output.data({ ...value }, () => {
    const { status: now, device, safeToClose } = value
    const storage =
      now.storage.state === 'failing'
        ? `cannot be written; ${now.storage.pending} change(s) are kept in memory. Free some space.`
        : now.storage.damaged > 0
          ? `${now.storage.damaged} damaged record(s), fetched again from other devices`
          : 'good'
    return [
      `${device.name}  ${shortId(device.id)}`,
      `  devices   ${now.devices.linked} of ${now.devices.total} linked${now.devices.total === 0 ? ' (segue pair new lets one in)' : ''}`,
      `  sessions  ${now.sessions}`,
      `  storage   ${storage}`,
      `  keys      ${now.keys.join(' or ')}${now.keys.includes('key-file') ? ': whoever reads the key file and the store reads everything' : ''}`,
      `  close?    ${safeToClose ? 'yes: another device has everything' : now.devices.total === 0 ? 'this device alone holds your work' : 'not yet: no other device has everything'}`,
      ...(now.needsUpdate ? ['  update    your group uses something this version does not know'] : []),
    ]
  })
}

interface StatusResult {
  readonly device: { readonly id: string; readonly name: string }
  readonly safeToClose: boolean
  readonly status: {
    readonly storage: { readonly state: string; readonly pending: number; readonly damaged: number }
    readonly keys: readonly string[]
    readonly devices: { readonly total: number; readonly linked: number }
    readonly sessions: number
    readonly needsUpdate: boolean
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
}

async function devices({ daemon, output }: CliContext): Promise<void> {
  const client = await daemon()
  const value = await client.call<{ readonly devices: readonly DeviceRow[] }>('devices')
  output.data({ ...value }, () =>
    table([
      ['NAME', 'ID', 'ROLE', 'STATE', 'SYNC', 'SEEN'],
      ...value.devices.map(device => [
        device.name,
        shortId(device.id),
        device.role,
        device.state === 'here' ? 'this device' : device.state === 'linked' ? `linked (${device.path ?? '?'})` : 'away',
        device.state === 'here' ? '' : device.sync === 'catching-up' ? `${device.unconfirmed} to go` : device.sync,
        device.state === 'here' || device.lastSeenAt === undefined ? '' : ago(Date.now() - device.lastSeenAt),
      ]),
    ]),
  )
}

async function rename({ daemon, output }: CliContext, name: string): Promise<void> {
  await (await daemon()).call('rename', { name })
  output.data({ name }, () => `This device is “${name}” now.`)
}

async function paths({ paths: places, output }: CliContext): Promise<void> {
  output.data({ ...places }, () => Object.entries(places).map(([name, place]) => `${name.padEnd(8)} ${String(place)}`))
}

async function logs({ paths: places, output, daemon }: CliContext, options: { readonly lines: string; readonly events?: boolean }): Promise<void> {
  const count = Number(options.lines)
  if (!Number.isInteger(count) || count < 1) throw new UsageError('--lines takes a whole number from 1')
  if (options.events === true) {
    const { events } = await (await daemon()).call<{ events: readonly Record<string, unknown>[] }>('events', { limit: count })
    output.data({ events }, () => events.map(event => JSON.stringify(event)))
    return
  }
  const file = path.join(places.log, 'segue.log')
  const lines = (await readFile(file, 'utf8').catch(() => '')).trimEnd().split('\n').slice(-count)
  output.data({ file, lines }, () => lines)
}

async function isUp(runtimeFile: string): Promise<boolean> {
  try {
    await stat(runtimeFile)
    await (await connectToDaemon(runtimeFile)).call('status')
    return true
  } catch (error) {
    if (error instanceof DaemonDown || (error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

