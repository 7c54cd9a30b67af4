import * as A from '@automerge/automerge'
import { Repo, documentIdToBinary } from '@automerge/automerge-repo'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex, utf8 } from '../lib/bytes.ts'
import { encodeCbor } from '../lib/codec.ts'
import { bringTogether, carry, createCastDevice, openEverywhere } from '../testing/session-cast.ts'
import { MAX_HOT_SET_BYTES, MAX_TEXT_BYTES } from '../wire/limits.ts'
import { KINDS, type Session } from './contract.ts'
import { GENESIS } from './schema/genesis.ts'
import { decodeHotSet, encodeHotSet, makeHotSet } from './hot-set.ts'

const EMOJI_AND_RTL = '\ufeffשלום 👩‍👩‍👧 world\r\nمرحبا 🇪🇺\n\tend \0 ￼'

describe('a session', () => {
  test('[S7] the ids are the same bytes', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    expect(toHex(documentIdToBinary(session.handles.session.documentId) as Uint8Array)).toBe(session.id)
  })

  test('[S8] opens on desk once it is there, with everything in it', async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const session = await laptop.sessions.create({ title: 'Report' })
    session.preferences.set('theme', 'dark')
    const opening = desk.sessions.open(session.id)
    carry(laptop, desk)
    const there = await opening
    expect(there.title.peek()).toBe('Report')
    expect(there.preferences.get('theme')).toBe('dark')
  })

  test('[S8] waits for the change that names the companions, when only the genesis has come', async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const session = await laptop.sessions.create({ title: 'Report' })
    desk.receive(session.handles.session.documentId, GENESIS.session.bytes)
    const opening = desk.sessions.open(session.id)
    carry(laptop, desk)
    expect((await opening).title.peek()).toBe('Report')
  })

  test('[S8] opening what is not there ends with the reason of the signal', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const controller = new AbortController()
    const opening = createCastDevice(2).sessions.open(session.id, { signal: controller.signal })
    controller.abort(new Error('gave up'))
    await expect(opening).rejects.toThrow('gave up')
  })

  test('[S9] opening twice gives one object, after close another', async () => {
    const laptop = createCastDevice(1)
    const session = await laptop.sessions.create({ title: 'Report' })
    expect(await laptop.sessions.open(session.id)).toBe(session)
    await session.close()
    expect(await laptop.sessions.open(session.id)).not.toBe(session)
  })

  test('[S10] the creator drives until a greater claim; an offer is none', async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const session = await laptop.sessions.create({ title: 'Report' })
    expect(session.driver.peek()).toBe(laptop.id)
    session.writeClaim({ counter: 2, device: desk.id, kind: 'offered', time: 0 })
    expect(session.driver.peek()).toBe(laptop.id)
    session.writeClaim({ counter: 2, device: laptop.id, kind: 'kept', time: 0 })
    const grant = { by: laptop.id, handoff: '00'.repeat(16) as never, expiresAt: 5, signature: new Uint8Array(64) }
    session.writeClaim({ counter: 2, device: desk.id, kind: 'granted', time: 0, grant })
    expect(session.driver.peek()).toBe([laptop.id, desk.id].find(id => id === session.claims()[0]?.device))
    expect(session.claims().find(claim => claim.kind === 'granted')).toMatchObject({ grant })
    session.writeClaim({ counter: 3, device: laptop.id, kind: 'taken', time: 0 })
    expect(session.driver.peek()).toBe(laptop.id)
  })

  test('[S11] a new title shows on the other device and in its index', async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const [here, there] = (await openEverywhere('Report', laptop, desk)) as [Session, Session]
    here.rename('Annual report')
    bringTogether(laptop, desk)
    expect(there.title.peek()).toBe('Annual report')
    expect(desk.sessions.list.peek().map(entry => entry.title)).toEqual(['Annual report'])
    expect(laptop.sessions.list.peek().map(entry => entry.title)).toEqual(['Annual report'])
  })
})

describe('documents', () => {
  test('[S12] made, and taken in from a plain Repo with its history', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const plain = new Repo({}).create<{ text: string }>({ text: 'old' })
    plain.change(doc => A.updateText(doc, ['text'], 'older'))
    const first = await session.documents.create({ title: 'First', initial: { text: 'a' } })
    const taken = await session.documents.add(plain, { title: 'Taken' })
    expect(session.documents.list.peek().map(member => member.title)).toEqual(['First', 'Taken'])
    expect(A.getHeads(taken.handle.doc())).toEqual(A.getHeads(plain.doc()))
    expect((await session.documents.add(first.handle.url)).documentId).toBe(first.documentId)
    expect((await session.documents.add(first.documentId)).title).toBe('First')
    expect(session.documents.list.peek()).toHaveLength(2)
  })

  test('[S13] removed and added again', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const { documentId } = await session.documents.create({ title: 'First', initial: { text: 'kept' } })
    await session.documents.remove(documentId)
    expect(session.documents.list.peek()).toEqual([])
    await session.documents.add(documentId)
    expect(session.documents.list.peek()).toMatchObject([{ documentId, title: 'First', removedBy: undefined }])
  })

  test.each(['', 'plain', EMOJI_AND_RTL, 'x'.repeat(MAX_TEXT_BYTES)])('[S14] out as it went in', async text => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const { documentId } = await session.documents.importText({ title: 'file', bytes: utf8(text) })
    expect(toHex(await session.documents.exportText(documentId))).toBe(toHex(utf8(text)))
  })

  test('[S14] any text comes out as it went in', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async text => {
        const { documentId } = await session.documents.importText({ title: 'file', bytes: utf8(text) })
        expect(await session.documents.exportText(documentId)).toEqual(utf8(text))
      }),
      { numRuns: 50 },
    )
  })

  test('[S15] too large and not text are refused, nothing is made', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const tooLarge = session.documents.importText({ title: 'film', bytes: new Uint8Array(MAX_TEXT_BYTES + 1).fill(0xff) })
    await expect(tooLarge).rejects.toMatchObject({ code: 'DOCUMENT_TOO_LARGE' })
    const notText = session.documents.importText({ title: 'image', bytes: new Uint8Array([0xff, 0xd8, 0xff]) })
    await expect(notText).rejects.toMatchObject({ code: 'DOCUMENT_NOT_TEXT' })
    expect(session.documents.list.peek()).toEqual([])
  })
})

describe('preferences, manifest, hot set', () => {
  test('[S26] setting the same value writes nothing', async () => {
    const { preferences, handles } = await createCastDevice(1).sessions.create({ title: 'Report' })
    preferences.set('editor', { size: 12, wrap: true })
    const heads = A.getHeads(handles.preferences.doc())
    preferences.set('editor', { size: 12, wrap: true })
    expect(A.getHeads(handles.preferences.doc())).toEqual(heads)
    expect(preferences.all.peek()).toEqual({ editor: { size: 12, wrap: true } })
    preferences.set('editor', undefined)
    expect(preferences.get('editor')).toBeUndefined()
    expect(preferences.get('toString')).toBeUndefined()
  })

  test('[S27] the manifest has the chosen kinds and no other', async () => {
    const session = await createCastDevice(1).sessions.create({ title: 'Report' })
    const report = await session.documents.create({ title: 'First', initial: { text: 'a' } })
    const gone = await session.documents.create({ title: 'Gone', initial: { text: 'a' } })
    await session.documents.remove(gone.documentId)
    const all = await session.manifest()
    expect(all.documents.map(document => document.kind)).toEqual(['session', ...KINDS])
    expect(all.documents[1]).toEqual({ documentId: report.documentId, kind: 'documents', heads: A.getHeads(report.handle.doc()) })
    expect((await session.manifest(['drafts'])).documents.map(document => document.kind)).toEqual(['session', 'drafts'])
    expect(all).toMatchObject({ schemaVersion: 1, session: session.id })
  })

  test("[S28] the hot set shows the driver's screen on the other device", async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const [here, there] = (await openEverywhere('Report', laptop, desk)) as [Session, Session]
    const text = `${'before '.repeat(5_000)}HERE${' 👩‍👩‍👧שלום'.repeat(5_000)}`
    const report = await here.documents.create({ title: 'First', initial: { text } })
    await here.views.open({ document: report.documentId, selection: { anchor: 35_000, head: 35_004 } })
    bringTogether(laptop, desk)
    const decoded = decodeHotSet(encodeHotSet(await there.hotSet()))
    expect(decoded).toMatchObject({ ok: true, value: { title: 'Report', views: [{ title: 'First', focused: true }] } })
    const view = decoded.ok ? decoded.value.views[0] : undefined
    expect(text.startsWith(view?.excerpt ?? '-', view?.from)).toBe(true)
    expect(view?.excerpt).toContain('HERE')
  })

  test('[S28] never over the limit', () => {
    const text = '👩‍👩‍👧'.repeat(20_000)
    const view = { document: 'd', title: 'שלום'.repeat(1_000), pane: 0, focused: true, text, anchor: 9, head: 9, top: undefined }
    const hotSet = makeHotSet(
      't'.repeat(100_000),
      Array.from({ length: 500 }, () => view),
    )
    expect(encodeHotSet(hotSet).length).toBeLessThanOrEqual(MAX_HOT_SET_BYTES)
    expect(decodeHotSet(encodeHotSet(hotSet)).ok).toBe(true)
  })

  test('[S29] 10,000 pieces of garbage and of wrong shape are refused without a throw', () => {
    const shaped = fc.anything({ withBigInt: false, withTypedArray: false, withSparseArray: false }).map(value => {
      try {
        return encodeCbor({ version: 1, title: value, views: [value] })
      } catch {
        return new Uint8Array([0xff])
      }
    })
    const inputs = fc.oneof(fc.uint8Array({ maxLength: 64 }), shaped)
    fc.assert(
      fc.property(inputs, bytes => {
        expect(decodeHotSet(bytes).ok).toBe(false)
      }),
      { numRuns: 10_000 },
    )
  })
})
