/** An Observable over a document: read again after each change, and the same object while nothing that matters changed. */
import type { DocHandle } from '@automerge/automerge-repo'
import { createSubject, type Observable } from '../lib/observable.ts'

export interface Followed<Value> {
  readonly value: Observable<Value>
  readonly stop: () => void
}

/** `read` must give plain values: two readings are the same when their JSON is. What it reads beside the document is `beside`. */
export function follow<T, Value>(
  handle: DocHandle<T>,
  read: (doc: T) => Value,
  beside?: Pick<Observable<unknown>, 'subscribe'>,
): Followed<Value> {
  const subject = createSubject(read(handle.doc()))
  let seen = JSON.stringify(subject.peek())
  const onChange = (): void => {
    const value = read(handle.doc())
    const now = JSON.stringify(value)
    if (now === seen) return
    seen = now
    subject.set(value)
  }
  handle.on('change', onChange)
  const stopBeside = beside?.subscribe(onChange)
  return {
    value: subject,
    stop() {
      handle.off('change', onChange)
      stopBeside?.()
    },
  }
}
