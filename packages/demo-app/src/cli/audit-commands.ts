/** audit and notices: what happened to the group, and what this device noticed. */
import { open, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import type { GroupAudit, GroupId, VerifiedAudit } from '@segue/engine'
import { isHexId, SegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { UsageError } from '../client/daemon-client.ts'
import { unreadable, unwritable } from '../client/text-file.ts'
import { auditLine } from './audit-texts.ts'
import { action, type CliContext } from './context.ts'
import { ago } from './output.ts'

interface AuditFlags {
  readonly export?: string
  readonly verify?: string
  readonly group?: string
}

export function addAuditCommands(program: Command): void {
  program
    .command('audit')
    .description('who was let in, removed, promoted, by whom and when; checked from the first entry on')
    .option('--export <file>', 'write it to a file, signed by this device')
    .option('--verify <file>', 'check a file that a device exported; needs no daemon, no keys and no network')
    .option('--group <id>', 'with --verify: the group that it has to be about')
    .addHelpText(
      'after',
      '\nTimes are what the clock of whoever did it said. A file shows what its signer had; that the last entries were left out, only a' +
        '\ndevice of the group can tell.',
    )
    .action(action<[AuditFlags]>(audit))
  const notices = program.command('notices').description('what this device noticed, since when, and what to do').action(action(list))
  notices
    .command('dismiss [id]')
    .description('you have seen it; comes back only when it happens again')
    .option('--all', 'all of them')
    .action(action<[string | undefined, { readonly all?: boolean }]>(dismiss))
}

async function audit(context: CliContext, flags: AuditFlags): Promise<void> {
  if (flags.verify !== undefined) {
    if (flags.export !== undefined) throw new UsageError('Either --export or --verify.')
    return verify(context, flags.verify, flags.group)
  }
  if (flags.group !== undefined) throw new UsageError('--group goes with --verify.')
  const client = await context.daemon()
  if (flags.export !== undefined) {
    const { text } = await client.call<{ readonly text: string }>('audit.export')
    const file = path.resolve(flags.export)
    await writeNew(file, text)
    return context.output.data({ file, bytes: text.length }, () => [
      `${file} has the audit of your group, signed by this device. segue audit --verify checks it on any machine.`,
      'It names your devices and your relays’ addresses: give it only to whom that may be shown.',
    ])
  }
  const told = await client.call<Told>('audit')
  context.output.data({ ...plain(told) }, () => linesOf(told))
}

async function verify({ output }: CliContext, file: string, group: string | undefined): Promise<void> {
  if (group !== undefined && !isHexId(group, 32)) throw new UsageError('--group takes the id of a group, as segue audit shows it.')
  const { size } = await stat(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
  if (size > MAX_FILE_BYTES) throw new SegueError('AUDIT_INVALID', { reason: 'too large' })
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error)
  })
  const { verifyAuditText } = await import('@segue/engine')
  const told = verifyAuditText(text, { group: group as GroupId | undefined })
  output.data({ ...plain(told), signedBy: told.signedBy, exportedAt: told.exportedAt }, () => [...linesOf(told), ...signedText(told)])
}

/** As in core's audit. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

const SIGNER_TEXT: Readonly<Record<VerifiedAudit['signedBy']['state'], string>> = {
  'in-the-group': 'which is in the group',
  waiting: 'which waits for a place in the group',
  removed: 'which was REMOVED from the group',
}

function signedText({ signedBy, exportedAt }: VerifiedAudit): readonly string[] {
  const when = new Date(exportedAt).toISOString().replace('T', ' ').slice(0, 19)
  return [`Every signature holds. Exported ${when} by “${signedBy.name}” (${signedBy.id}), ${SIGNER_TEXT[signedBy.state]}.`]
}

/** Without bytes, which JSON has no form for. */
type Told = Omit<GroupAudit, 'devices'> & { readonly devices: readonly Omit<GroupAudit['devices'][number], 'sealingKey'>[] }

function linesOf({ group, events, needsUpdate }: Told): readonly string[] {
  const numbers = new Map<string, number>(events.map(({ entry }, index) => [entry, index + 1]))
  return [
    `Group ${group}`,
    ...events.map((event, index) => `${String(index + 1).padStart(4)}  ${auditLine(event, entry => numbers.get(entry))}`),
    ...(needsUpdate ? ['Some of it is of a later version of Segue and is not told here.'] : []),
  ]
}

function plain({ group, events, devices, heads, needsUpdate }: Told): object {
  const state = ({ active, removal }: Told['devices'][number]): string =>
    removal !== undefined ? 'removed' : active ? 'in-the-group' : 'waiting'
  return {
    group,
    events,
    devices: devices.map(device => ({ id: device.id, name: device.name, role: device.role, state: state(device) })),
    heads,
    needsUpdate,
  }
}

/** For this person's eyes; a file that is there stays as it is. */
async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((error: unknown) => {
    throw unwritable(file, error)
  })
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

interface NoticeRow {
  readonly id: string
  readonly weight: 'warning' | 'info'
  readonly what: string
  readonly next: string
  readonly since: number
  readonly lastAt: number
  readonly endedAt?: number
}

async function list({ daemon, output }: CliContext): Promise<void> {
  const value = await (await daemon()).call<{ readonly notices: readonly NoticeRow[] }>('notices')
  output.data({ ...value }, () => (value.notices.length === 0 ? 'Nothing to tell.' : value.notices.flatMap(noticeLines)))
}

function noticeLines({ id, weight, what, next, since, lastAt, endedAt }: NoticeRow): readonly string[] {
  const now = Date.now()
  const last = lastAt - since < 1_000 ? ago(now - since) : `since ${ago(now - since).replace(/ ago$/, '')}, last ${ago(now - lastAt)}`
  return [
    `${weight === 'warning' ? '!' : '·'} ${what}`,
    `    ${endedAt === undefined ? last : `${last}; over since ${ago(now - endedAt).replace(/ ago$/, '')}`}`,
    `    ${next}`,
    `    segue notices dismiss ${id}`,
  ]
}

async function dismiss({ daemon, output }: CliContext, id: string | undefined, { all }: { readonly all?: boolean }): Promise<void> {
  if ((id === undefined) === (all !== true)) throw new UsageError('Say which (segue notices lists them), or --all.')
  const value = await (await daemon()).call<{ readonly dismissed: readonly string[] }>('notices.dismiss', { id })
  output.data({ ...value }, () => (value.dismissed.length === 1 ? 'Dismissed.' : `${value.dismissed.length} dismissed.`))
}
