/** What can be said of a handoff afterwards, by both devices, without a word of what was in it. */
import type { Segue, TelemetryEvent } from '@segue/engine'
import { expect, test } from 'vitest'
import { inSync, pair, startDevice } from './cast.ts'

test('one trace id runs through a handoff on both devices, and nothing recorded is content', async () => {
  const laptop = await startDevice('Marias laptop')
  const desk = await startDevice('Desk im Büro')
  await pair(laptop, desk)
  const session = await laptop.sessions.create({ title: 'Quarterly numbers' })
  const report = await session.documents.create({ title: 'Report for the board', initial: { text: 'strictly confidential' } })
  await session.drafts.create({ text: 'a thought nobody has seen' })
  await session.views.open({ document: report.documentId, selection: { anchor: 3, head: 3 } })
  await session.flush()
  await inSync(laptop, desk)

  const handoff = laptop.handoff.send(session.id, { to: desk.device.id })
  expect((await handoff.done).kind).toBe('done')
  await desk.handoff.list.when(list => list.some(({ id, state }) => id === handoff.id && state === 'ended'))

  const trace = laptop.handoff.list.peek().find(({ id }) => id === handoff.id)?.trace
  expect(trace).toMatch(/^[0-9a-f]{32}$/)
  expect(desk.handoff.list.peek().map(entry => entry.trace)).toEqual([trace])
  for (const [device, side] of [[laptop, 'source'] as const, [desk, 'target'] as const]) {
    expect(courseOf(device, trace)).toEqual([
      `${side} authentication`,
      `${side} transfer`,
      `${side} merge`,
      `${side} verification`,
      `${side} done`,
    ])
    expect(handoffEvents(device).filter(event => event.trace !== trace)).toEqual([])
  }

  const recorded = [...laptop.events.peek(), ...desk.events.peek()]
  expect(recorded.length).toBeGreaterThan(10)
  for (const event of recorded) for (const value of Object.values(event)) expect(isContentFree(value), JSON.stringify(event)).toBe(true)
  const said = JSON.stringify(recorded)
  for (const word of ['Maria', 'Desk', 'Büro', 'Quarterly', 'Report', 'confidential', 'thought', '127.0.0.1'])
    expect(said).not.toContain(word)
})

type HandoffEvent = Extract<TelemetryEvent, { readonly handoff: unknown }>

function handoffEvents(device: Segue): readonly HandoffEvent[] {
  return device.events.peek().filter((event): event is HandoffEvent => 'handoff' in event)
}

function courseOf(device: Segue, trace: string | undefined): readonly string[] {
  return handoffEvents(device)
    .filter(event => event.trace === trace)
    .map(event => `${event.side} ${event.type === 'handoff-ended' ? event.outcome : event.milestone}`)
}

/** A number, an id, or one of the fixed words. */
function isContentFree(value: unknown): boolean {
  if (typeof value === 'number') return true
  return typeof value === 'string' && /^([a-z][a-z-]*|[0-9a-f]{32}|12D3Koo\w{45})$/.test(value)
}
