/** Snapshots are asked of one peer after another until one has it. */
import type { DocTag } from '../lib/ids.ts'
import type { Session } from './session-host.ts'

export interface SnapshotRequests {
  request(docTag: DocTag, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>
  answer(docTag: DocTag, sealed: Uint8Array | undefined, from: Session): void
  drop(session: Session): void
}

export function createSnapshotRequests(candidates: () => readonly Session[]): SnapshotRequests {
  const open = new Set<Request>()
  const askNext = (request: Request): void => {
    const next = candidates().find(session => !request.asked.has(session) && session.isInScope({ class: 'commit', docTag: request.docTag }))
    request.current = next
    if (next === undefined) return request.finish(undefined)
    request.asked.add(next)
    next.askSnapshot(request.docTag)
  }
  return {
    request: (docTag, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason)
        const onAbort = (): void => {
          open.delete(request)
          reject(signal?.reason)
        }
        const finish = (sealed: Uint8Array | undefined): void => {
          open.delete(request)
          signal?.removeEventListener('abort', onAbort)
          resolve(sealed)
        }
        const request: Request = { docTag, asked: new Set(), current: undefined, finish }
        open.add(request)
        signal?.addEventListener('abort', onAbort, { once: true })
        askNext(request)
      }),
    answer(docTag, sealed, from) {
      for (const request of [...open]) {
        if (request.docTag !== docTag || request.current !== from) continue
        if (sealed === undefined) askNext(request)
        else request.finish(sealed)
      }
    },
    drop(session) {
      for (const request of [...open]) if (request.current === session) askNext(request)
    },
  }
}

interface Request {
  readonly docTag: DocTag
  readonly asked: Set<Session>
  current: Session | undefined
  readonly finish: (sealed: Uint8Array | undefined) => void
}
