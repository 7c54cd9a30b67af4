/** session delete, document delete, deletions: for good or here only, and who knows of it. */
import { isSegueError } from '@segue/engine/client'
import type { Command } from 'commander'
import { askLine } from './ask.ts'
import { action, type CliContext } from './context.ts'
import { EXIT } from './exit-codes.ts'
import { addFetchCommand, notHereLines, removeHere, type HereOptions, type NotHereRow } from './here-deletion.ts'
import { ago, shortId, table } from './output.ts'

export function addDeletionCommands(program: Command, session: Command): void {
  withOptions(session.command('delete <session>').description('delete a session and its documents, for good, on every device')).action(
    action<[string, DeleteOptions]>((context, wanted, options) => remove(context, { session: wanted }, options)),
  )
  addFetchCommand(session)
  const document = program.command('document').description('one document of a session')
  withOptions(document.command('delete <session> <document>').description('delete one document, for good, on every device')).action(
    action<[string, string, DeleteOptions]>((context, wanted, named, options) =>
      remove(context, { session: wanted, document: named }, options),
    ),
  )
  program
    .command('deletions')
    .description('what was deleted for good, by whom, and where it is gone; what waits for you')
    .option('--go-on <deletion>', 'follow one that waits')
    .option('--keep <deletion>', 'follow one that waits, and keep what it deletes as a copy')
    .option('--keep-edits <deletion>', 'keep what was edited meanwhile as a copy')
    .option('--discard-edits <deletion>', 'let what was edited meanwhile go too')
    .addHelpText('after', '\nExit code 6 when something waits for you. There is no undelete: a copy is a new session with new links.')
    .action(action<[DecideOptions]>(list))
}

function withOptions(command: Command): Command {
  return command
    .option('--confirm <title>', 'the typed confirmation, given here: for scripts')
    .option('--much', 'also when it is more than a fifth of everything')
    .option('--here', 'on this device only: other devices and relays keep it, and segue session fetch brings it back')
    .option('--force', 'with --here: also when nobody who is linked now has all of it')
    .option('--no-wait', 'do not wait until the devices and relays that are linked now know')
    .addHelpText(
      'after',
      '\nThere is no undelete, and no backup brings it back while one of your devices remembers. What somebody edited meanwhile is kept aside on' +
        '\ntheir device: segue deletions.',
    )
}

interface DeleteOptions extends HereOptions {
  readonly here?: boolean
  readonly wait: boolean
}

interface DecideOptions {
  readonly goOn?: string
  readonly keep?: string
  readonly keepEdits?: string
  readonly discardEdits?: string
}

interface Plan {
  readonly title: string
  readonly documents: number
  readonly count: number
  readonly total: number
  readonly isLarge: boolean
  readonly devices: number
  readonly relays: number
}

interface DeletionRow {
  readonly id: string
  readonly byName?: string
  readonly at: number
  readonly session?: string
  readonly documents: number
  readonly state: string
  readonly why?: string
  readonly devices: readonly { readonly name: string; readonly state: 'gone' | 'asks' | 'not-yet' }[]
  readonly relays: readonly { readonly relay: string; readonly state: string }[]
  readonly missing: number
}

interface DeletionList {
  readonly deletions: readonly DeletionRow[]
  readonly edits: readonly EditRow[]
  readonly notHere: readonly NotHereRow[]
}

interface EditRow {
  readonly deletion: string
  readonly byName?: string
  readonly at: number
  readonly title: string
  readonly documents: readonly { readonly title: string; readonly kind: string; readonly edits: number }[]
}

const WAIT_MS = 20_000

async function remove(
  context: CliContext,
  target: { readonly session: string; readonly document?: string },
  options: DeleteOptions,
): Promise<void> {
  if (options.here === true) return removeHere(context, target, options)
  const { daemon, output, signal } = context
  const { confirm, much = false, wait } = options
  const client = await daemon()
  const plan = await client.call<Plan>('deletion.plan', target, { signal })
  output.warning(
    `“${plan.title}” will be deleted for good: ${plan.documents} document(s), here, on ${plan.devices} other device(s) and ${plan.relays} relay(s). There is no undelete.`,
  )
  if (plan.isLarge) output.warning(`That is ${plan.count} of ${plan.total}: more than a fifth of everything.`)
  const typed = confirm ?? (await askLine(`Typed confirmation: type its title, ${plan.title}:`))
  const isMuch =
    much || (plan.isLarge && confirm === undefined && /^yes$/i.test((await askLine('More than a fifth of everything: type yes:')) ?? ''))
  const { deletions } = await client.call<{ readonly deletions: readonly DeletionRow[] }>(
    'deletion.delete',
    { ...target, ...(typed === undefined ? {} : { typed }), much: isMuch },
    { signal },
  )
  output.note('Deleted here. Telling your other devices…')
  const late = AbortSignal.timeout(wait ? WAIT_MS : 0)
  let last = deletions
  const onEvent = (event: Readonly<Record<string, unknown>>): void => {
    last = event['deletions'] as readonly DeletionRow[]
  }
  try {
    const ids = deletions.map(({ id }) => id)
    const told = await client.call<{ readonly deletions: readonly DeletionRow[] }>(
      'deletion.follow',
      { deletions: ids },
      { signal: AbortSignal.any([signal, late]), onEvent },
    )
    last = told.deletions
  } catch (error) {
    if (!late.aborted && !isSegueError(error, 'CANCELLED')) throw error // it is deleted, whoever knows
  }
  output.data({ title: plan.title, deletions: last }, () => [`“${plan.title}” is deleted.`, ...last.flatMap(whereLines)])
}

function whereLines({ devices, relays }: DeletionRow): readonly string[] {
  const words = { gone: 'gone', asks: 'asks the person there first', 'not-yet': 'when it is here next' } as const
  const atRelay: Readonly<Record<string, string>> = { gone: 'gone', told: 'told', waiting: 'when it is reached next' }
  return [
    ...devices.map(({ name, state }) => `  ${name}: ${words[state]}`),
    ...relays.map(({ relay, state }) => `  relay ${shortId(relay)}: ${atRelay[state] ?? state}`),
  ]
}

async function list({ daemon, output, signal }: CliContext, options: DecideOptions): Promise<number> {
  const client = await daemon()
  const decisions = [
    ['go-on', options.goOn],
    ['keep', options.keep],
    ['keep-edits', options.keepEdits],
    ['discard-edits', options.discardEdits],
  ] as const
  for (const [decision, deletion] of decisions) {
    if (deletion === undefined) continue
    const done = await client.call<{ readonly session?: string }>('deletion.decide', { deletion, decision }, { signal })
    output.note(done.session === undefined ? 'Done.' : `Kept as a copy: segue session show ${shortId(done.session)}`)
  }
  const found = await client.call<DeletionList>('deletion.list')
  output.data({ ...found }, () => [...deletionLines(found.deletions), ...editLines(found.edits), ...notHereLines(found.notHere)])
  return found.edits.length > 0 || found.deletions.some(({ state }) => state === 'waiting') ? EXIT.needsReview : EXIT.ok
}

function deletionLines(rows: readonly DeletionRow[]): readonly string[] {
  if (rows.length === 0) return ['Nothing was deleted for good.']
  const whys: Readonly<Record<string, string>> = {
    many: 'waits for you: more than a fifth of everything',
    'removed-device': 'waits for you: by a removed device',
  }
  const waits = rows.some(({ state }) => state === 'waiting')
  return [
    ...[
      table([
        ['ID', 'WHAT', 'BY', 'WHEN', 'STATE', 'GONE AT'],
        ...rows.map(row => [
          shortId(row.id),
          row.session === undefined ? `${row.documents} document(s)` : `session ${shortId(row.session)}`,
          row.byName ?? 'a removed device',
          ago(Date.now() - row.at),
          row.state === 'waiting' ? (whys[row.why ?? ''] ?? 'waits for you') : row.state,
          `${row.devices.filter(({ state }) => state === 'gone').length} of ${row.devices.length} device(s)`,
        ]),
      ]),
    ].flatMap(({ heading, rows: lines }) => [heading, ...lines]),
    ...(waits ? ['segue deletions --go-on ID follows one that waits; --keep ID keeps what it deletes as a copy.'] : []),
  ]
}

function editLines(rows: readonly EditRow[]): readonly string[] {
  if (rows.length === 0) return []
  return [
    'Edited here while it was deleted elsewhere, and kept aside:',
    ...rows.flatMap(row => [
      `  ${shortId(row.deletion)}  ${row.title}, deleted by ${row.byName ?? 'a removed device'} ${ago(Date.now() - row.at)}`,
      ...row.documents.map(({ title, edits }) => `      ${title}: ${edits} edit(s) that were not known there`),
    ]),
    'segue deletions --keep-edits ID makes a copy of it; --discard-edits ID lets it go.',
  ]
}
