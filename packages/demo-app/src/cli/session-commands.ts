/** session list, show, create, open, import, export; history. */
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { readTextFile, unwritable } from '../client/text-file.ts'
import { action, type CliContext } from './context.ts'
import { ago, shortId, table } from './output.ts'

/** Returns `session`, for what belongs under it. */
export function addSessionCommands(program: Command): Command {
  const session = program.command('session').description('the work: documents, drafts, views, preferences')
  session.command('list').description('the sessions there are').action(action(list))
  session.command('show <session>').description('what is in a session').action(action<[string]>(show))
  session.command('create <title>').description('an empty session').action(action<[string]>(create))
  session
    .command('open <session>')
    .description('wait until all of a session is here, then show it')
    .option('--fetch', 'bring it back where it was deleted on this device only')
    .action(action<[string, { readonly fetch?: boolean }]>(open))
  session
    .command('import <file>')
    .description('a UTF-8 text file of at most 1 MiB becomes a document')
    .option('--session <session>', 'add it to this session instead of making one')
    .action(action<[string, { readonly session?: string }]>(importFile))
  session
    .command('export <session>')
    .description('the text of a document, byte for byte')
    .option('--document <document>', 'which one, where there are several')
    .option('-o, --output <file>', 'where to; default: stdout')
    .action(action<[string, { readonly document?: string; readonly output?: string }]>(exportText))
  program
    .command('history <session>')
    .description('the checkpoints of a session, newest first')
    .option('--checkpoint', 'take one now')
    .option('--revert <checkpoint>', 'bring the content back to this one, as a new change')
    .action(action<[string, { readonly checkpoint?: boolean; readonly revert?: string }]>(history))
  return session
}

interface SessionRow {
  readonly id: string
  readonly title: string
  readonly here: 'here' | 'not-here' | 'coming-back'
}

async function list({ daemon, output }: CliContext): Promise<void> {
  const { sessions } = await (await daemon()).call<{ readonly sessions: readonly SessionRow[] }>('session.list')
  output.data({ sessions }, () =>
    sessions.length === 0
      ? 'No sessions yet. segue session import FILE makes one.'
      : table([['ID', 'TITLE', ''], ...sessions.map(({ id, title, here }) => [shortId(id), title, HERE_WORDS[here]])]),
  )
}

const HERE_WORDS = { here: '', 'not-here': 'not kept here', 'coming-back': 'on its way back' } as const

interface SessionView {
  readonly id: string
  readonly title: string
  readonly driverName?: string
  readonly lease: { readonly confirmed: boolean; readonly isFree: boolean }
  readonly documents: readonly { readonly documentId: string; readonly title: string; readonly isHere: boolean }[]
  readonly views: readonly { readonly id: string; readonly document: string; readonly selection?: { readonly head: number } }[]
  readonly drafts: readonly { readonly id: string; readonly text: string }[]
  readonly preferences: Readonly<Record<string, unknown>>
  readonly durability: {
    readonly saved: string
    readonly holders: readonly string[]
    readonly onRelays: readonly string[]
    readonly isSafeToClose: boolean
  }
}

function relaysText(count: number): string {
  return count === 0 ? '' : ` and ${count} relay(s)`
}

function describe(session: SessionView): readonly string[] {
  const titles = new Map(session.documents.map(document => [document.documentId, document.title]))
  return [
    `${session.title}  ${shortId(session.id)}`,
    `  driven by    ${session.lease.isFree ? 'nobody: the device that did was removed; segue handoff take takes it' : (session.driverName ?? 'nobody')}${session.lease.confirmed ? '' : ' (not confirmed by every device yet)'}`,
    `  saved        ${session.durability.saved}; on ${session.durability.holders.length} other device(s)${relaysText(session.durability.onRelays.length)}`,
    ...session.documents.map(({ title, isHere }) => `  document     ${title}${isHere ? '' : ' (not kept here)'}`),
    ...session.views.map(
      view =>
        `  view         ${titles.get(view.document) ?? view.document}${view.selection === undefined ? '' : ` at ${view.selection.head}`}`,
    ),
    ...session.drafts.map(draft => `  draft        ${draft.text.length} characters`),
    ...Object.entries(session.preferences).map(([key, value]) => `  preference   ${key} = ${String(value)}`),
  ]
}

async function show({ daemon, output, signal }: CliContext, wanted: string): Promise<void> {
  const value = await (await daemon()).call<SessionView>('session.show', { session: wanted }, { signal })
  output.data({ ...value }, () => describe(value))
}

async function create({ daemon, output }: CliContext, title: string): Promise<void> {
  const value = await (await daemon()).call<Omit<SessionRow, 'here'>>('session.create', { title })
  output.data({ ...value }, () => value.id)
}

async function open({ daemon, output, signal }: CliContext, wanted: string, options: { readonly fetch?: boolean }): Promise<void> {
  output.progress('waiting for everything of the session…')
  const value = await (await daemon()).call<SessionView>('session.open', { session: wanted, fetch: options.fetch ?? false }, { signal })
  output.data({ ...value }, () => describe(value))
}

async function importFile({ daemon, output }: CliContext, file: string, options: { readonly session?: string }): Promise<void> {
  const bytes = await readTextFile(file)
  output.progress('importing…')
  const value = await (
    await daemon()
  ).call<{ readonly session: string; readonly title: string; readonly bytes: number }>('session.import', {
    name: path.basename(file),
    content: Buffer.from(bytes).toString('base64'),
    ...(options.session === undefined ? {} : { session: options.session }),
  })
  output.data({ ...value }, () => `${value.title}  ${shortId(value.session)}  ${value.bytes} bytes`)
}

async function exportText(
  { daemon, output, signal }: CliContext,
  wanted: string,
  options: { readonly document?: string; readonly output?: string },
): Promise<void> {
  const params = { session: wanted, ...(options.document === undefined ? {} : { document: options.document }) }
  const value = await (await daemon()).call<{ readonly content: string; readonly title: string }>('session.export', params, { signal })
  const bytes = Buffer.from(value.content, 'base64')
  if (options.output !== undefined) {
    const file = options.output
    await writeFile(file, bytes).catch((error: unknown) => {
      throw unwritable(file, error)
    })
    output.data({ file: options.output, bytes: bytes.length }, () => `${options.output}: ${bytes.length} bytes`)
  } else if (output.isJson) output.data({ title: value.title, content: value.content, encoding: 'base64' }, () => '')
  else process.stdout.write(bytes)
}

interface CheckpointRow {
  readonly id: string
  readonly reason: string
  readonly time: number
  readonly byName: string
}

async function history(
  { daemon, output, signal }: CliContext,
  wanted: string,
  options: { readonly checkpoint?: boolean; readonly revert?: string },
): Promise<void> {
  const client = await daemon()
  if (options.revert !== undefined) {
    const value = await client.call<{ readonly changed: readonly string[]; readonly before: CheckpointRow }>(
      'history.revert',
      { session: wanted, checkpoint: options.revert },
      { signal },
    )
    output.data(
      { ...value },
      () =>
        `Reverted ${value.changed.length} document(s) as a new change. To undo: segue history ${wanted} --revert ${shortId(value.before.id)}`,
    )
    return
  }
  if (options.checkpoint === true) await client.call('history.checkpoint', { session: wanted }, { signal })
  const { checkpoints } = await client.call<{ readonly checkpoints: readonly CheckpointRow[] }>(
    'history.list',
    { session: wanted },
    { signal },
  )
  output.data({ checkpoints }, () =>
    checkpoints.length === 0
      ? 'No checkpoints yet. Each handoff takes one; segue history SESSION --checkpoint takes one now.'
      : table([
          ['ID', 'WHY', 'WHEN', 'BY'],
          ...checkpoints.map(({ id, reason, time, byName }) => [shortId(id), reason, ago(Date.now() - time), byName]),
        ]),
  )
}
