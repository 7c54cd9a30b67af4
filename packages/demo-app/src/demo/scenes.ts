/** The scenes of the demo, each through the daemons' own API. */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readQrImage } from '@segue/engine/client'
import type { DaemonClient } from '../client/daemon-client.ts'
import type { DemoDevice } from './device.ts'
import { percentile, type DemoReport } from './report.ts'
import type { Patch } from './trace.ts'

/** The laptop draws its QR into a picture, the desk reads that picture, and the desk's digits are typed on the laptop. */
export async function pairByPicture(laptop: DemoDevice, desk: DemoDevice): Promise<DemoReport['pairing']> {
  const startedAt = performance.now()
  const picture = path.join(laptop.home, 'pairing.png')
  let inviting: Promise<unknown> = Promise.resolve()
  const png = await new Promise<string>((resolve, reject) => {
    inviting = laptop.client().call(
      'pair.new',
      {},
      {
        onEvent(event) {
          if (event['type'] === 'invitation') resolve(String(event['png']))
        },
      },
    )
    inviting.catch(reject)
  })
  await writeFile(picture, Buffer.from(png, 'base64'), { mode: 0o600 })
  const source = await readQrImage(new Uint8Array(await readFile(picture)))
  const joining = desk.client().call(
    'pair.join',
    { text: source },
    {
      onEvent(event) {
        if (event['type'] === 'code') void laptop.client().call('pair.confirm', { code: String(event['code']) })
      },
    },
  )
  await Promise.all([inviting, joining])
  return { ms: Math.round(performance.now() - startedAt) }
}

export interface Work {
  readonly session: string
  readonly view: string
  readonly cursor: number
  readonly draft: string
}

/** The file becomes a document in a session with two views, a cursor, a draft and a preference. */
export async function setUpWork(laptop: DaemonClient, name: string, content: Uint8Array): Promise<Work> {
  const imported = await laptop.call<{ session: string }>('session.import', { name, content: Buffer.from(content).toString('base64') })
  const { session } = imported
  const { text } = await laptop.call<{ text: string }>('document.read', { session })
  const cursor = betweenCharacters(text, Math.floor(text.length / 2))
  const first = await laptop.call<{ id: string }>('view.open', {
    session,
    selection: { anchor: cursor, head: cursor },
    scroll: { top: betweenCharacters(text, Math.floor(cursor / 2)), fraction: 0.25 },
    pane: 0,
  })
  await laptop.call('view.open', { session, selection: { anchor: 0, head: 0 }, scroll: { fraction: 0 }, pane: 1 })
  await laptop.call('view.select', { session, id: first.id, selection: { anchor: cursor, head: cursor } })
  const draft = 'A thought, not saved yet.'
  await laptop.call('draft.create', { session, text: draft })
  await laptop.call('preference.set', { session, key: 'theme', value: 'dark' })
  return { session, view: first.id, cursor, draft }
}

const LETTERS = 'carry on, exactly there. '

/** Enough of it even where each letter takes long (a text of a megabyte on a busy machine). */
const TYPING_MS = 15_000

/** Types letter by letter at the cursor on one device, and waits for each on the other: `rounds` letters, or for fifteen seconds. */
export async function typeAndFollow(laptop: DaemonClient, desk: DaemonClient, work: Work, rounds: number): Promise<DemoReport['edit']> {
  const { session } = work
  const samples: number[] = []
  let at = work.cursor
  await following(desk, session, async arrives => {
    const beganAt = performance.now()
    for (let round = 0; round < rounds && (round < 10 || performance.now() - beganAt < TYPING_MS); round++) {
      const letter = LETTERS[round % LETTERS.length] as string
      const startedAt = performance.now()
      const { heads } = await laptop.call<{ heads: readonly string[] }>('document.edit', {
        session,
        batches: [[[at, 0, letter]]],
        wait: false,
      })
      await arrives(heads)
      samples.push(performance.now() - startedAt)
      at += 1
    }
  })
  return { p50Ms: percentile(samples, 0.5), p99Ms: percentile(samples, 0.99) }
}

/** Edits a request; each batch of so many recorded edits is one change. */
const PATCHES_A_CHANGE = 200
const CHANGES_A_REQUEST = 10

/** Replays a recording as fast as it goes, the other device following. */
export async function replayAndFollow(
  laptop: DaemonClient,
  desk: DaemonClient,
  session: string,
  patches: readonly Patch[],
  onProgress: (share: number) => void,
): Promise<DemoReport['edit']> {
  const samples: number[] = []
  await following(desk, session, async arrives => {
    const step = PATCHES_A_CHANGE * CHANGES_A_REQUEST
    for (let start = 0; start < patches.length; start += step) {
      const startedAt = performance.now()
      const some = patches.slice(start, start + step)
      const batches = Array.from({ length: Math.ceil(some.length / PATCHES_A_CHANGE) }, (_, i) =>
        some.slice(i * PATCHES_A_CHANGE, (i + 1) * PATCHES_A_CHANGE),
      )
      const { heads } = await laptop.call<{ heads: readonly string[] }>('document.edit', {
        session,
        batches,
        unit: 'code-points',
        wait: false,
      })
      await arrives(heads)
      samples.push(performance.now() - startedAt)
      onProgress(Math.min(1, (start + step) / patches.length))
    }
  })
  return { p50Ms: percentile(samples, 0.5), p99Ms: percentile(samples, 0.99) }
}

/** Calls `body` with a function that resolves once the follower shows exactly these heads. */
async function following(
  follower: DaemonClient,
  session: string,
  body: (arrives: (heads: readonly string[]) => Promise<void>) => Promise<void>,
): Promise<void> {
  await follower.call('session.open', { session })
  const stopped = new AbortController()
  let shown = ''
  let waiting: { readonly heads: string; readonly resolve: () => void } | undefined
  const stream = follower.call(
    'document.follow',
    { session },
    {
      signal: stopped.signal,
      onEvent(event) {
        shown = String((event['heads'] as readonly string[]).toSorted())
        if (waiting?.heads === shown) waiting.resolve()
      },
    },
  )
  stream.catch(() => undefined) // it ends by being stopped
  try {
    await body(heads => {
      const wanted = String(heads.toSorted())
      return shown === wanted ? Promise.resolve() : new Promise(resolve => (waiting = { heads: wanted, resolve }))
    })
  } finally {
    stopped.abort()
  }
}

/** Resolves when the target has it as well: the source lets go, and does not wait until the views are back there. */
export async function handOver(
  laptop: DaemonClient,
  desk: DaemonClient,
  session: string,
  to: string,
  onMilestone: (name: string, ms: number) => void,
): Promise<DemoReport['handoff']> {
  const { id, outcome, milestones, bytes } = await laptop.call<{
    id: string
    outcome: { kind: string }
    milestones: DemoReport['handoff']['milestones']
    bytes: number
  }>(
    'handoff.to',
    { session, device: to },
    {
      onEvent(event) {
        if (event['type'] === 'step' && event['state'] === 'reached')
          onMilestone(String(event['milestone']), Math.round(Number(event['ms'])))
      },
    },
  )
  await desk.call('handoff.follow', { id })
  return { outcome: outcome.kind, milestones: milestones.map(({ name, ms }) => ({ name, ms: Math.round(ms) })), bytes }
}

interface SessionView {
  readonly views: readonly { readonly id: string; readonly selection?: { readonly head: number } }[]
  readonly drafts: readonly { readonly text: string }[]
  readonly preferences: Readonly<Record<string, unknown>>
}

/** `typed` letters were inserted at the cursor, which therefore stands behind them. */
export async function lookAtRestored(desk: DaemonClient, work: Work, cursorThere: number): Promise<DemoReport['restored']> {
  const { views, drafts, preferences } = await desk.call<SessionView>('session.show', { session: work.session })
  return {
    views: views.length,
    cursor: views.some(view => view.selection?.head === cursorThere),
    draft: drafts.some(({ text }) => text === work.draft),
    preferences: preferences['theme'] === 'dark',
  }
}

export async function cursorOf(client: DaemonClient, work: Work): Promise<number> {
  const { views } = await client.call<SessionView>('session.show', { session: work.session })
  return views.find(view => view.id === work.view)?.selection?.head ?? -1
}

export async function sha256Of(client: DaemonClient, session: string): Promise<string> {
  const { content } = await client.call<{ content: string }>('session.export', { session })
  return sha256(Buffer.from(content, 'base64'))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Both edit the same place while the other is off; then they meet. */
export async function editApart(laptop: DemoDevice, desk: DemoDevice, session: string): Promise<void> {
  await laptop.stop()
  await desk.client().call('document.edit', { session, batches: [[[0, 0, 'The desk says: ']]] })
  await desk.stop()
  await laptop.start()
  await laptop.client().call('document.edit', { session, batches: [[[0, 0, 'The laptop says: ']]] })
  await desk.start()
  await inSync(laptop, desk)
  await caughtUp(laptop.client(), desk.client(), session)
  await caughtUp(desk.client(), laptop.client(), session)
}

export async function inSync(a: DemoDevice, b: DemoDevice): Promise<void> {
  await Promise.all([a.client().call('device.in-sync', { device: b.name }), b.client().call('device.in-sync', { device: a.name })])
}

/** Resolves when `reader` shows everything that `writer` shows. */
export async function caughtUp(writer: DaemonClient, reader: DaemonClient, session: string): Promise<void> {
  const { heads } = await writer.call<{ heads: readonly string[] }>('document.read', { session })
  await reader.call('document.read', { session, containing: heads })
}

interface ConflictRow {
  readonly id: string
  readonly suggested: string
  readonly ours: { readonly excerpt: string; readonly authorName?: string }
  readonly theirs: { readonly excerpt: string; readonly authorName?: string }
}

/** Shows the conflicts, does what is suggested, and looks on the other device whether they are gone. */
export async function resolveConflicts(
  desk: DaemonClient,
  laptop: DaemonClient,
  session: string,
  onConflict: (conflict: ConflictRow) => void,
): Promise<DemoReport['conflict']> {
  const { conflicts } = await desk.call<{ conflicts: readonly ConflictRow[] }>('conflicts.list', { session })
  for (const conflict of conflicts) {
    onConflict(conflict)
    await desk.call('conflicts.accept', { session, conflict: conflict.id })
  }
  const left = await Promise.all([desk, laptop].map(client => conflictsLeft(client, session)))
  return { found: conflicts.length, resolved: conflicts.length - Math.max(...left) }
}

/** That a conflict is settled is replicated like anything else: the other device is given ten seconds to hear of it. */
async function conflictsLeft(client: DaemonClient, session: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    const { conflicts } = await client.call<{ conflicts: readonly unknown[] }>('conflicts.list', { session })
    if (conflicts.length === 0 || tries === 100) return conflicts.length
    await sleep(100)
  }
}

/** A checkpoint, a change one regrets, and back: the text is as it was, on both, and history kept all of it. */
export async function revertChange(desk: DaemonClient, laptop: DaemonClient, session: string): Promise<boolean> {
  const before = await sha256Of(desk, session)
  const { id } = await desk.call<{ id: string }>('history.checkpoint', { session })
  await desk.call('document.edit', { session, batches: [[[0, 0, 'A sentence to be regretted. ']]] })
  const changed = await sha256Of(desk, session)
  await desk.call('history.revert', { session, checkpoint: id })
  await caughtUp(desk, laptop, session)
  const after = await Promise.all([sha256Of(desk, session), sha256Of(laptop, session)])
  return changed !== before && after.every(hash => hash === before)
}

/** Never inside a character of two units. */
function betweenCharacters(text: string, at: number): number {
  const before = text.charCodeAt(at - 1)
  return before >= 0xd800 && before <= 0xdbff ? at - 1 : at
}
