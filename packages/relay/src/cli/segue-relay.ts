/**
 * The `segue-relay` command: `serve` (also without a word) runs the relay, the others ask one that runs, or open its folder themselves. What a
 * relay is made of is loaded only by those that run one or open its folder: asking takes half the time without.
 */
import { stat } from 'node:fs/promises'
import path from 'node:path'
import { decodeInvite, isDeviceId } from '@segue/core/sealed'
import { Command, Option } from 'commander'
import QRCode from 'qrcode'
import { MAX_NOTE_LENGTH } from '../engine/records.ts'
import { callRelay } from '../ops/admin-socket.ts'
import { restoreInto } from '../ops/backup.ts'
import { explain } from '../ops/explain.ts'
import { createLog } from '../ops/log.ts'
import { MAX_INVITE_DAYS, type Operations } from '../ops/operations.ts'
import { SETTINGS, SettingError, readSettings, variableOf, type Settings } from './settings.ts'
import { accountsText, bytesText, checkText, dayText, statusText } from './texts.ts'

const program = new Command('segue-relay').description(
  'A relay for Segue: keeps sealed copies for devices that sleep, and can read none of it.',
)
program.option('--config <file>', 'a JSON file with any of the settings (SEGUE_RELAY_CONFIG)')
for (const setting of SETTINGS) {
  const flags = setting.value === undefined ? `--${setting.flag}` : `--${setting.flag} <${setting.value}>`
  const shown = setting.default === '' ? '' : `; ${setting.default} unless given`
  program.addOption(new Option(flags, `${setting.help} (${variableOf(setting)}${shown})`))
}

program
  .command('serve', { isDefault: true })
  .description('runs the relay until SIGTERM or SIGINT')
  .allowExcessArguments(true) // a word that is no command ends here as well
  .action(run(serve))
program
  .command('invite')
  .description('makes an invite: one account, for one person with all their devices')
  .option('--note <text>', 'for you, to tell the accounts apart')
  .option('--days <n>', 'for how many days it can be used; 7 unless given')
  .option('--json', 'for programs')
  .action(run(invite))
program
  .command('accounts')
  .description('lists accounts and open invites')
  .option('--set <account>', 'gives this account what the --quota flags and --retention name; the rest of it stays')
  .option('--json', 'for programs')
  .action(run(accounts))
program
  .command('revoke')
  .description('closes an account, or takes an invite back')
  .argument('<what>', 'the id of the account or of the invite')
  .option('--erase', 'also removes what it stored here')
  .action(run(revoke))
program.command('status').description('says how the relay is').option('--json', 'for programs').action(run(status))
program.command('backup').description('writes everything to one file, also while the relay runs').argument('<file>').action(run(backup))
program.command('restore').description('fills an empty folder from a backup').argument('<file>').action(run(restore))
program.command('check').description('reads everything and says what is wrong with it').option('--json', 'for programs').action(run(check))

type Flags = Readonly<Record<string, unknown>>

async function serve(settings: Settings): Promise<void> {
  const [word = 'serve', more] = program.args
  if (word !== 'serve') {
    const commands = program.commands.map(command => command.name()).join(', ')
    throw new SettingError(`there is no command ${word}; there are ${commands}`)
  }
  if (more !== undefined) throw new SettingError(`serve takes nothing more: ${more}`)
  const { createRelay } = await import('../relay.ts')
  const logger = createLog({ level: settings.logLevel, withIds: settings.logIds })
  const relay = await createRelay({
    ...optionsOf(settings),
    logger,
    idleMailboxDays: settings.idleMailboxDays,
    acknowledgedDays: settings.acknowledgedDays,
    maxConnections: settings.maxConnections,
    circuits: { bytesPerSecond: settings.circuitBytesPerSecond, maxCircuits: settings.circuitsPerDevice },
  })
  const stop = (): void => {
    relay.drain()
    logger.info('relay-stopping')
    relay.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error('relay-not-stopped', { error: String(error) })
        process.exit(1)
      },
    )
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
  const lines = [
    ...relay.addresses.map(address => `address    ${address}`),
    ...(relay.opsAddress === undefined ? [] : [`operations http://${relay.opsAddress}`]),
  ]
  process.stderr.write(`${lines.join('\n')}\n`)
  if (relay.isNew) {
    const made = await relay.operations.invite({ note: 'the first' })
    process.stderr.write(`${await inviteText(made.invite, made.expiresAt)}\n`)
  }
  logger.info('relay-started', { addresses: relay.addresses.length })
}

async function invite(settings: Settings, flags: Flags): Promise<void> {
  const note = typeof flags['note'] === 'string' ? flags['note'] : undefined
  if (note !== undefined && note.length > MAX_NOTE_LENGTH) throw new SettingError(`--note: at most ${MAX_NOTE_LENGTH} letters`)
  const days = typeof flags['days'] === 'string' ? daysOf(flags['days']) : undefined
  const made = await ask(settings, 'invite', { note, days, quotas: quotasOf(settings), retention: settings.retention })
  if (flags['json'] === true) print(JSON.stringify(made))
  else if (process.stdout.isTTY) print(await inviteText(made.invite, made.expiresAt))
  else {
    print(made.invite) // alone, for `segue relay add -`
    process.stderr.write(`${hintText(made.invite, made.expiresAt)}\n`)
  }
}

async function accounts(settings: Settings, flags: Flags): Promise<void> {
  const account = flags['set']
  const given = program.opts()
  const terms = SETTINGS.find(({ name }) => (name.startsWith('quota') || name === 'retention') && given[name] !== undefined)
  if (account === undefined && terms !== undefined) throw new SettingError(`--${terms.flag}: of which account? Name it with --set`)
  if (typeof account === 'string') {
    if (!isDeviceId(account)) throw new SettingError(`--set: ${account} is no account's id; segue-relay accounts lists them`)
    if (terms === undefined) throw new SettingError('--set: to what? Give a --quota flag or --retention')
    const retention = given['retention'] === undefined ? undefined : settings.retention
    const { changed } = await ask(settings, 'terms', { account, quotas: givenQuotas(settings), retention })
    if (!changed) throw new SettingError(`there is no account ${account}; segue-relay accounts lists them`)
  }
  const answer = await ask(settings, 'accounts', {})
  print(flags['json'] === true ? JSON.stringify(answer) : accountsText(answer))
}

async function revoke(settings: Settings, flags: Flags, what = ''): Promise<void> {
  const { revoked, erasedMailboxes } = await ask(settings, 'revoke', { what, erase: flags['erase'] === true })
  if (revoked === 'nothing') throw new SettingError(`there is no account and no invite ${what}; segue-relay accounts lists them`)
  print(`${revoked} revoked${erasedMailboxes === 0 ? '' : `, ${erasedMailboxes} mailboxes erased`}`)
}

async function status(settings: Settings, flags: Flags): Promise<void> {
  const answer = await ask(settings, 'status', {})
  print(flags['json'] === true ? JSON.stringify(answer) : statusText(answer))
}

async function backup(settings: Settings, _flags: Flags, file = ''): Promise<void> {
  const { entries, bytes } = await ask(settings, 'backup', { path: path.resolve(file) })
  print(`${bytesText(bytes)}, ${entries} entries`)
}

async function restore(settings: Settings, _flags: Flags, file = ''): Promise<void> {
  const { entries } = await restoreInto(settings.data, path.resolve(file), { hasKey: settings.key !== undefined })
  print(`${entries} entries restored; devices notice and bring what is newer`)
}

async function check(settings: Settings, flags: Flags): Promise<void> {
  const report = await ask(settings, 'check', {})
  print(flags['json'] === true ? JSON.stringify(report) : checkText(report))
  if (report.findings.length > 0) process.exitCode = 1
}

/** Of the relay that runs on this folder, or of the folder; makes none. */
async function ask<Name extends keyof Operations>(
  settings: Settings,
  name: Name,
  request: Parameters<Operations[Name]>[0],
): Promise<Awaited<ReturnType<Operations[Name]>>> {
  const answered = await callRelay(settings.data, name, request)
  if (answered !== undefined) return answered
  if (!(await isThere(path.join(settings.data, 'level')))) {
    throw new SettingError(`There is no relay in ${path.resolve(settings.data)}: name its folder with --data (SEGUE_RELAY_DATA)`)
  }
  const { openStopped } = await import('../relay.ts')
  const stopped = await openStopped(optionsOf(settings))
  try {
    return (await (stopped.operations[name] as (given: typeof request) => Promise<unknown>)(request)) as Awaited<
      ReturnType<Operations[Name]>
    >
  } finally {
    await stopped.close()
  }
}

function optionsOf(settings: Settings) {
  const { data, announce, quotaBytes, quotaChunks, quotaMailboxes, quotaBytesPerMinute, ...rest } = settings
  const quotas = { bytes: quotaBytes, chunks: quotaChunks, mailboxes: quotaMailboxes, bytesPerMinute: quotaBytesPerMinute }
  return {
    directory: data,
    listen: rest.listen,
    announce: announce.length === 0 ? undefined : announce,
    key: rest.key,
    ops: rest.ops,
    quotas,
    retention: rest.retention,
  }
}

function quotasOf(settings: Settings) {
  return optionsOf(settings).quotas
}

/** Only those named on the command line or in the environment: the others of the account stay. */
function givenQuotas(settings: Settings) {
  const names = { bytes: 'quotaBytes', chunks: 'quotaChunks', mailboxes: 'quotaMailboxes', bytesPerMinute: 'quotaBytesPerMinute' } as const
  const given = program.opts()
  const all = quotasOf(settings)
  return Object.fromEntries(
    Object.entries(names).flatMap(([quota, name]) => (given[name] === undefined ? [] : [[quota, all[quota as keyof typeof all]]])),
  )
}

async function inviteText(text: string, expiresAt: number): Promise<string> {
  const qr = await QRCode.toString(text, { type: 'utf8', errorCorrectionLevel: 'L' })
  return `${qr}\n${text}\n\n${hintText(text, expiresAt)}`
}

function hintText(text: string, expiresAt: number): string {
  const read = decodeInvite(text)
  const where = read.ok ? read.value.addresses.join('  ') : ''
  return `on a device:  segue relay add INVITE     until ${dayText(expiresAt)}, once, at ${where}`
}

function daysOf(text: string): number {
  const days = Number(text)
  if (/^\d+$/.test(text) && days >= 1 && days <= MAX_INVITE_DAYS) return days
  throw new SettingError(`--days: ${text} is not a number of days from 1 to ${MAX_INVITE_DAYS}`)
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

/** Settings first; an error is one line for people, with its stack where the log level is debug. */
function run(action: (settings: Settings, flags: Flags, argument?: string) => Promise<void>) {
  return async (...given: readonly unknown[]): Promise<void> => {
    const command = given.at(-1) as Command
    let settings: Settings | undefined
    try {
      settings = readSettings(program.opts(), process.env)
      await action(settings, command.opts(), typeof given[0] === 'string' ? given[0] : undefined)
    } catch (error) {
      const stack = settings?.logLevel === 'debug' && error instanceof Error ? `\n${error.stack}` : ''
      process.stderr.write(`segue-relay: ${explain(error, path.resolve(settings?.data ?? '.'))}${stack}\n`)
      process.exitCode = 1
    }
  }
}

await program.parseAsync()
