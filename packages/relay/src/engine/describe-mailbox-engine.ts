/** The contract of a relay's engine, for every implementation: memory, Level, and whatever comes later. */
import { SegueError, deviceIdOf, isSegueError, type ChunkId, type DeviceId, type DocTag, type EpochId, type MailboxId } from '@segue/core'
import type { NewChunk } from '@segue/core/ports'
import { describeChunkStore } from '@segue/core/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Account, Invite, MailboxEngine, NewList } from './mailbox-engine.ts'

export interface MailboxEngineUnderTest {
  readonly engine: MailboxEngine
  /** Ends the engine as a crash does (nothing more is written) and opens what is there then. */
  reopen(): Promise<MailboxEngine>
  /** Makes every write fail until the returned function is called. Left out when the implementation cannot be made to. */
  failWrites?(): () => void
  tearDown(): Promise<void>
}

export function describeMailboxEngine(name: string, setup: () => Promise<MailboxEngineUnderTest>): void {
  const start = async (): Promise<MailboxEngineUnderTest> => {
    const started = await setup()
    onTestFinished(() => started.tearDown())
    return started
  }

  describeChunkStore(`a mailbox of ${name}`, async () => {
    const started = await setup()
    await makeAccount(started.engine, LAPTOP)
    await makeMailbox(started.engine, MAILBOX, LAPTOP)
    const { failWrites } = started
    return {
      store: await started.engine.open(MAILBOX),
      reopen: async () => (await started.reopen()).open(MAILBOX),
      ...(failWrites === undefined ? {} : { failWrites: () => failWrites() }),
      tearDown: () => started.tearDown(),
    }
  })

  describe(`mailbox engine contract: ${name}`, () => {
    test('an invite makes one account, for one device, before it expires', async () => {
      const { engine, reopen } = await start()
      await engine.putInvite(invite('aa', { note: 'for the laptop' }))
      await engine.putInvite(invite('bb', { expiresAt: 50 }))
      expect(await engine.claim(hash('cc'), LAPTOP, 10)).toBe('unknown-token')
      expect(await engine.claim(hash('bb'), LAPTOP, 50)).toBe('expired-token')
      const account = { id: LAPTOP, quotas: QUOTAS, retention: 'keep', createdAt: 10, note: 'for the laptop' }
      expect(await engine.claim(hash('aa'), LAPTOP, 10)).toEqual(account)
      expect(await engine.claim(hash('aa'), DESK, 11)).toBe('used-token')
      const again = await reopen()
      expect(await again.claim(hash('aa'), LAPTOP, 12)).toEqual(account)
      expect(await again.accounts()).toEqual([account])
      expect((await again.invites()).map(({ claimedBy }) => claimedBy)).toEqual([LAPTOP, undefined])
    })

    test('of many devices with one token one gets the account', async () => {
      const { engine } = await start()
      await engine.putInvite(invite('aa'))
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => engine.claim(hash('aa'), device(i), 10)))
      expect(outcomes.filter(outcome => typeof outcome !== 'string').length).toBe(1)
      expect((await engine.accounts()).length).toBe(1)
    })

    test('an invite that nobody claimed can be taken back', async () => {
      const { engine } = await start()
      await engine.putInvite(invite('aa'))
      expect(await engine.removeInvite(hash('aa'))).toBe(true)
      expect(await engine.removeInvite(hash('aa'))).toBe(false)
      expect(await engine.claim(hash('aa'), LAPTOP, 10)).toBe('unknown-token')
    })

    test('a mailbox belongs to an account and has one admin key; making it again changes nothing', async () => {
      const { engine, reopen } = await start()
      const mailbox = { id: MAILBOX, account: LAPTOP, adminKey: KEY, time: 5 }
      expect(await engine.createMailbox(mailbox)).toBe('no-account')
      await makeAccount(engine, LAPTOP)
      await makeAccount(engine, DESK)
      expect(await engine.createMailbox(mailbox)).toBe('created')
      expect(await engine.createMailbox({ ...mailbox, time: 6 })).toBe('created')
      expect(await engine.createMailbox({ ...mailbox, adminKey: new Uint8Array(32) })).toBe('other-key')
      expect(await engine.createMailbox({ ...mailbox, account: DESK })).toBe('not-yours')
      const again = await reopen()
      const { time, ...created } = mailbox
      expect(await again.mailbox(MAILBOX)).toEqual({ ...created, createdAt: time, lastUsedAt: time })
      expect(await again.usage(LAPTOP)).toEqual({ mailboxes: 1, bytes: 0, chunks: 0 })
      await again.setLastUsed(MAILBOX, 77)
      expect((await again.mailboxes()).map(({ lastUsedAt }) => lastUsedAt)).toEqual([77])
    })

    test('an account has as many mailboxes as it may, also when they are made at once', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP, { mailboxes: 2 })
      const outcomes = await Promise.all(
        [1, 2, 3, 4].map(i => engine.createMailbox({ id: mailboxId(i), account: LAPTOP, adminKey: KEY, time: 1 })),
      )
      expect(outcomes).toEqual(['created', 'created', 'quota', 'quota'])
      await engine.removeMailbox(mailboxId(1))
      expect(await engine.createMailbox({ id: mailboxId(3), account: LAPTOP, adminKey: KEY, time: 1 })).toBe('created')
    })

    test('of those that were to take a place and hold nothing one is kept, and there is an end to the others', async () => {
      const { engine, reopen } = await start()
      await makeAccount(engine, LAPTOP, { mailboxes: 1 })
      await makeMailbox(engine, MAILBOX, LAPTOP)
      const move = (i: number, from = MAILBOX): Promise<string> =>
        engine.createMailbox({ id: mailboxId(i), account: LAPTOP, adminKey: KEY, time: 1, replaces: from })
      for (let i = 100; i < 150; i++) expect(await move(i)).toBe('created')
      expect((await engine.mailboxes()).map(({ id }) => id).toSorted()).toEqual([MAILBOX, mailboxId(149)].toSorted())
      expect(await engine.usage(LAPTOP)).toEqual({ mailboxes: 2, bytes: 0, chunks: 0 })
      const held = await engine.open(mailboxId(149))
      await held.apply({ put: [chunk(1)] })
      expect(await move(99)).toBe('created')
      expect(await engine.mailbox(mailboxId(149))).toBeDefined()
      const chain: string[] = []
      for (let i = 150; i < 220; i++) chain.push(await move(i, mailboxId(i === 150 ? 99 : i - 1)))
      expect(chain.indexOf('quota')).toBe(62)
      expect((await (await reopen()).usage(LAPTOP)).mailboxes).toBe(65)
    })

    test('into a mailbox that went while it was open nothing is written', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      await makeMailbox(engine, MAILBOX, LAPTOP)
      const open = await engine.open(MAILBOX)
      await engine.removeMailbox(MAILBOX)
      await expect(open.apply({ put: [chunk(1)] })).rejects.toThrow(SegueError)
      expect(await engine.usage(LAPTOP)).toEqual({ mailboxes: 0, bytes: 0, chunks: 0 })
    })

    test('lists replace each other one version at a time; of two at once one wins', async () => {
      const { engine, reopen } = await start()
      await makeAccount(engine, LAPTOP)
      await makeMailbox(engine, MAILBOX, LAPTOP)
      expect(await engine.replaceList(mailboxId(9), list(1, [LAPTOP]))).toBe('unknown')
      expect(await engine.replaceList(MAILBOX, list(2, [LAPTOP]))).toBe('stale')
      const outcomes = await Promise.all([engine.replaceList(MAILBOX, list(1, [LAPTOP])), engine.replaceList(MAILBOX, list(1, [DESK]))])
      expect(outcomes.map(outcome => typeof outcome)).toEqual(['object', 'string'])
      await engine.replaceList(MAILBOX, list(2, [LAPTOP, DESK]))
      const stored = (await (await reopen()).mailbox(MAILBOX))?.list
      expect(stored).toMatchObject({ ...list(2, [LAPTOP, DESK]), order: 2 })
      expect([...(stored?.since ?? [])]).toEqual([
        [LAPTOP, 1],
        [DESK, 2],
      ])
    })

    test('the order of lists goes on over all mailboxes', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      for (const i of [1, 2]) await makeMailbox(engine, mailboxId(i), LAPTOP)
      await engine.replaceList(mailboxId(2), list(1, [LAPTOP]))
      expect(await engine.replaceList(mailboxId(1), list(1, [LAPTOP]))).toMatchObject({ list: { order: 2 } })
    })

    test('mailboxes share nothing, and each numbers its own arrivals without gaps', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      const [one, other] = await Promise.all(
        [1, 2].map(i => makeMailbox(engine, mailboxId(i), LAPTOP).then(() => engine.open(mailboxId(i)))),
      )
      if (one === undefined || other === undefined) throw new Error('two were opened')
      await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : other).apply({ put: [chunk(i)] })))
      for (const mailbox of [one, other]) {
        const arrivals: number[] = []
        for await (const { arrival } of mailbox.since(0)) arrivals.push(arrival)
        expect(arrivals).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
      }
      expect(await other.get(chunk(0).id)).toBeUndefined()
    })

    test('an account is charged for what its mailboxes hold, in the step that writes it', async () => {
      const { engine, reopen } = await start()
      await makeAccount(engine, LAPTOP)
      for (const i of [1, 2]) await makeMailbox(engine, mailboxId(i), LAPTOP)
      const mailbox = await engine.open(mailboxId(1))
      await mailbox.apply({ put: [chunk(1, 100), chunk(2, 3_000)] })
      await (await engine.open(mailboxId(2))).apply({ put: [chunk(1, 50)] })
      expect(await engine.usage(LAPTOP)).toEqual({ mailboxes: 2, bytes: 3_150, chunks: 3 })
      await mailbox.apply({ put: [chunk(1, 40)], remove: [chunk(2).id] })
      expect(await (await reopen()).usage(LAPTOP)).toEqual({ mailboxes: 2, bytes: 90, chunks: 2 })
    })

    test('what would go over a quota is refused whole, costs nothing, and stops nobody else', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP, { bytes: 1_000 })
      await makeAccount(engine, DESK, { chunks: 2 })
      await makeMailbox(engine, mailboxId(1), LAPTOP)
      await makeMailbox(engine, mailboxId(2), DESK)
      const [laptops, desks] = [await engine.open(mailboxId(1)), await engine.open(mailboxId(2))]
      await laptops.apply({ put: [chunk(1, 900)] })
      await expect(laptops.apply({ put: [chunk(2, 60), chunk(3, 60)] })).rejects.toSatisfy(isQuota)
      expect([await laptops.get(chunk(2).id), laptops.lastArrival()]).toEqual([undefined, 1])
      expect(await engine.usage(LAPTOP)).toEqual({ mailboxes: 1, bytes: 900, chunks: 1 })
      await laptops.apply({ put: [chunk(2, 60)] })
      await desks.apply({ put: [chunk(1, 900), chunk(2, 900)] })
      await expect(desks.apply({ put: [chunk(3, 1)] })).rejects.toSatisfy(isQuota)
    })

    test('calls made together cannot go over a quota between them', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP, { bytes: 1_000 })
      for (const i of [1, 2]) await makeMailbox(engine, mailboxId(i), LAPTOP)
      const [one, other] = [await engine.open(mailboxId(1)), await engine.open(mailboxId(2))]
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? one : other).apply({ put: [chunk(i, 100)] })),
      )
      expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(10)
      expect((await engine.usage(LAPTOP)).bytes).toBe(1_000)
    })

    test('over a quota that was lowered, what makes it smaller is taken', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      await makeMailbox(engine, MAILBOX, LAPTOP)
      const mailbox = await engine.open(MAILBOX)
      await mailbox.apply({ put: [chunk(1, 500), chunk(2, 500)] })
      expect(await engine.setTerms(LAPTOP, { quotas: { ...QUOTAS, bytes: 100 }, retention: 'keep' })).toBe(true)
      await mailbox.apply({ remove: [chunk(1).id], records: new Map([['note', new Uint8Array(3)]]) })
      await expect(mailbox.apply({ put: [chunk(3, 1)] })).rejects.toSatisfy(isQuota)
      expect((await engine.usage(LAPTOP)).bytes).toBe(500)
    })

    test('a chunk that is there already keeps its arrival and has no price', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP, { bytes: 200 })
      await makeMailbox(engine, MAILBOX, LAPTOP)
      const mailbox = await engine.open(MAILBOX)
      await mailbox.apply({ put: [chunk(1, 150)] })
      await mailbox.apply({ put: [chunk(1, 150), chunk(2, 50)] })
      expect([(await mailbox.head(chunk(1).id))?.arrival, (await mailbox.head(chunk(2).id))?.arrival]).toEqual([1, 2])
    })

    test('who watches a mailbox hears of every arrival in it, after it is there', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      await makeMailbox(engine, MAILBOX, LAPTOP)
      const [mailbox, heard] = [await engine.open(MAILBOX), [] as number[]]
      const unwatch = mailbox.watch(arrival => heard.push(arrival))
      await mailbox.apply({ put: [chunk(1), chunk(2)] })
      await mailbox.apply({ remove: [chunk(1).id] })
      await mailbox.apply({ put: [chunk(3)] })
      unwatch()
      await mailbox.apply({ put: [chunk(4)] })
      expect(heard).toEqual([2, 3])
    })

    test('a revoked account makes no mailbox and claims nothing more', async () => {
      const { engine, reopen } = await start()
      expect(await engine.revoke(LAPTOP, 5)).toBe(false)
      await makeAccount(engine, LAPTOP)
      expect(await engine.revoke(LAPTOP, 6)).toBe(true)
      await engine.putInvite(invite('bb'))
      expect(await engine.claim(hash('bb'), LAPTOP, 7)).toBe('revoked')
      expect(await engine.createMailbox({ id: MAILBOX, account: LAPTOP, adminKey: KEY, time: 1 })).toBe('revoked')
      expect((await (await reopen()).account(LAPTOP))?.revokedAt).toBe(6)
    })

    test('a mailbox that is removed takes its content and its price with it', async () => {
      const { engine } = await start()
      await makeAccount(engine, LAPTOP)
      for (const id of ['ff'.repeat(16) as MailboxId, MAILBOX]) {
        await makeMailbox(engine, id, LAPTOP)
        await (await engine.open(id)).apply({ put: [chunk(1), chunk(2, 5_000)] })
      }
      await engine.removeMailbox('ff'.repeat(16) as MailboxId)
      await expect(engine.open('ff'.repeat(16) as MailboxId)).rejects.toSatisfy(error => isSegueError(error, 'RELAY_NOT_YOURS'))
      expect(await engine.usage(LAPTOP)).toEqual({ mailboxes: 1, bytes: 5_100, chunks: 2 })
      await makeMailbox(engine, 'ff'.repeat(16) as MailboxId, LAPTOP)
      expect((await engine.open('ff'.repeat(16) as MailboxId)).lastArrival()).toBe(0)
      expect((await (await engine.open(MAILBOX)).get(chunk(2).id))?.byteLength).toBe(5_000)
    })

    test('the probe says whether the store takes writes', async context => {
      const { engine, failWrites } = await start()
      await engine.probe()
      if (failWrites === undefined) return context.skip('this engine cannot be made to fail here')
      const heal = failWrites()
      await expect(engine.probe()).rejects.toBeInstanceOf(SegueError)
      heal()
      await engine.probe()
    })
  })
}

const LAPTOP = device(1)
const DESK = device(2)
const MAILBOX = mailboxId(7)
const KEY = new Uint8Array(32).fill(9)
const QUOTAS = { mailboxes: 4, bytes: 1e9, chunks: 1e6, bytesPerMinute: 1e9 }

function isQuota(error: unknown): boolean {
  return isSegueError(error, 'RELAY_QUOTA')
}

async function makeAccount(engine: MailboxEngine, id: DeviceId, quotas: Partial<Account['quotas']> = {}): Promise<void> {
  const token = Buffer.from(id).toString('hex').slice(-64).padStart(64, '0')
  await engine.putInvite({ ...invite('00'), tokenHash: token, quotas: { ...QUOTAS, ...quotas } })
  expect(await engine.claim(token, id, 1)).toMatchObject({ id })
}

async function makeMailbox(engine: MailboxEngine, id: MailboxId, account: DeviceId): Promise<void> {
  expect(await engine.createMailbox({ id, account, adminKey: KEY, time: 1 })).toBe('created')
}

function invite(token: string, over: Partial<Invite> = {}): Invite {
  return { tokenHash: hash(token), quotas: QUOTAS, retention: 'keep', createdAt: 1, expiresAt: 1_000, ...over }
}

function list(version: number, peers: readonly DeviceId[]): NewList {
  return { version, peers, signed: { record: Uint8Array.of(version), signature: new Uint8Array(64) } }
}

function hash(token: string): string {
  return token.repeat(32)
}

function device(n: number): DeviceId {
  return deviceIdOf(new Uint8Array(32).fill(n + 1))
}

function mailboxId(n: number): MailboxId {
  return n.toString(16).padStart(2, '0').repeat(16) as MailboxId
}

function chunk(n: number, length = 100): NewChunk {
  return {
    class: 'commit',
    epoch: 'ab'.repeat(16) as EpochId,
    docTag: 'cd'.repeat(16) as DocTag,
    id: n.toString(16).padStart(4, '0').repeat(16) as ChunkId,
    sequence: 0,
    live: true,
    bytes: new Uint8Array(length).fill(n),
  }
}
