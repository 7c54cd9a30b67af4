import * as A from '@automerge/automerge'
import { Repo, type DocHandle } from '@automerge/automerge-repo'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../crypto/hash.ts'
import { toHex } from '../../lib/bytes.ts'
import { createCastDevice } from '../../testing/session-cast.ts'
import { GENESIS } from './genesis.ts'
import { SHAPES, type SessionDoc, type StructureName } from './shapes.ts'
import { openStructure, VERSIONS, type StructureVersions } from './structure.ts'

const PINNED: Readonly<Record<StructureName, string>> = {
  session: 'bb0c5dcee4cda21b103d392299db8d106cfd0c11ec2aa8a537050bbcc2a55f59',
  drafts: 'a2a46915b9e1c7c8af92b9bedfa96a0fa7a2f42acbc7813382aa1753bd438bc6',
  views: '6651ff408d78b0a2fbcb465b82f916ceac3e45d8a189395b557b6cc2c25017c0',
  preferences: 'c41acd89be9162d10008d480b12b9b8cbdaa2beaf5ecc3bd3023ae12ce4a3eb0',
}
const NAMES = Object.keys(PINNED) as StructureName[]

/** Two versions that only this test knows: 2 adds `colour`, 3 adds `shape`. Each literal continues the one before. */
function withMigrations(): StructureVersions {
  const second = A.change(A.load<Record<string, unknown>>(GENESIS.session.bytes, 'aa'.repeat(16)), { time: 0 }, doc => {
    doc.schemaVersion = 2
    doc.colour = 'blue'
  })
  const third = A.change(A.clone(second, 'bb'.repeat(16)), { time: 0 }, doc => {
    doc.schemaVersion = 3
    doc.shape = 'round'
  })
  const literal = (doc: A.Doc<unknown>): Uint8Array => A.getLastLocalChange(doc) as Uint8Array
  return {
    ...VERSIONS.session,
    version: 3,
    migrations: [
      { to: 2, literal: literal(second) },
      { to: 3, literal: literal(third) },
    ],
  }
}

function handleOf<T>(bytes: Uint8Array): DocHandle<T> {
  return new Repo({}).import<T>(bytes)
}

describe('schema', () => {
  test.each(NAMES)('[S1] the literal of %s is what it was', name => {
    expect(toHex(sha256(GENESIS[name].bytes))).toBe(PINNED[name])
    expect(A.getHeads(A.load(GENESIS[name].bytes))).toEqual([GENESIS[name].head])
  })

  test.each(NAMES)('[S1] the literal of %s opens', name => {
    expect(() => openStructure(handleOf(GENESIS[name].bytes), name)).not.toThrow()
  })

  test('[S2] laptop and desk start the same session and both add to it', async () => {
    const [laptop, desk] = [createCastDevice(1), createCastDevice(2)]
    const made = await laptop.documents.create<SessionDoc>(GENESIS.session.bytes)
    const same = await desk.documents.create<SessionDoc>(GENESIS.session.bytes, { documentId: made.documentId })
    made.change(doc => void (doc.lease['0000000001/a/opened'] = { time: 1 }))
    same.change(doc => void (doc.lease['0000000001/b/opened'] = { time: 1 }))
    desk.receive(made.documentId, A.save(made.doc()))
    expect(Object.keys(same.doc().lease)).toHaveLength(2)
    expect(A.getConflicts(same.doc(), 'lease')).toBeUndefined()
  })

  test('[S3] a newer structure is refused, unchanged', () => {
    const handle = handleOf<SessionDoc>(GENESIS.session.bytes)
    handle.change(doc => void (doc.schemaVersion = 2))
    const heads = A.getHeads(handle.doc())
    expect(() => openStructure(handle, 'session')).toThrow(expect.objectContaining({ code: 'SCHEMA_NEWER' }))
    expect(A.getHeads(handle.doc())).toEqual(heads)
  })

  test('[S4] each migration runs, in turn, and on two devices at once makes one change', () => {
    const versions = withMigrations()
    const [laptop, desk] = [handleOf<SessionDoc>(GENESIS.session.bytes), handleOf<SessionDoc>(GENESIS.session.bytes)]
    laptop.change(doc => void (doc.title = 'Report'))
    for (const handle of [laptop, desk]) openStructure(handle, 'session', versions)
    expect(laptop.doc()).toMatchObject({ schemaVersion: 3, colour: 'blue', shape: 'round', title: 'Report' })
    const merged = A.merge(A.clone(desk.doc()), laptop.doc())
    expect(A.getConflicts(merged, 'schemaVersion')).toBeUndefined()
    expect(A.getChangesMetaSince(merged, [])).toHaveLength(4) // genesis, two migrations, the title
    const heads = A.getHeads(laptop.doc())
    openStructure(laptop, 'session', versions)
    expect(A.getHeads(laptop.doc())).toEqual(heads)
  })

  test('[S4] version 1 has nothing to migrate from', () => {
    for (const name of NAMES) expect(VERSIONS[name]).toMatchObject({ version: 1, migrations: [], shape: SHAPES[name] })
  })

  test('[S5] unknown fields survive open, edit and save', async () => {
    const laptop = createCastDevice(1)
    const session = await laptop.sessions.create({ title: 'Report' })
    const report = await session.documents.create({ title: 'a', initial: { text: '' } })
    session.handles.session.change(doc => {
      Object.assign(doc, { mood: 'good' })
      Object.assign(doc.documents[report.documentId] as object, { stars: 5 })
    })
    await session.close()
    const again = await laptop.sessions.open(session.id)
    again.rename('Annual report')
    again.documents.rename(report.documentId, 'b')
    await again.documents.remove(report.documentId)
    await again.documents.add(report.documentId)
    const saved = A.load<Record<string, unknown>>(A.save(again.handles.session.doc()))
    expect(saved).toMatchObject({ mood: 'good', title: 'Annual report', documents: { [report.documentId]: { stars: 5, title: 'b' } } })
  })

  test('[S6] another document, and a session of the wrong shape, are refused', () => {
    const other = handleOf(A.save(A.from({ schemaVersion: 1, structure: 'session', title: 'forged' })))
    const broken = handleOf<SessionDoc>(GENESIS.session.bytes)
    broken.change(doc => Object.assign(doc, { documents: 'none' }))
    for (const handle of [other, broken, handleOf(GENESIS.views.bytes)]) {
      expect(() => openStructure(handle, 'session')).toThrow(expect.objectContaining({ code: 'SESSION_UNKNOWN' }))
    }
  })
})
