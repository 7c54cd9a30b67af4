/** How the person likes it in this session: plain values by key, last writer wins per key, both kept as a conflict. */
import type { DocHandle } from '@automerge/automerge-repo'
import type { Preferences } from './contract.ts'
import { follow } from './follow.ts'
import type { PreferencesDoc, PreferenceValue } from './schema/shapes.ts'

export function createPreferences(handle: DocHandle<PreferencesDoc>): Preferences & { close(): void } {
  const followed = follow(handle, doc => plain(doc.values) as Readonly<Record<string, PreferenceValue>>)
  return {
    all: followed.value,
    get: key => (Object.hasOwn(followed.value.peek(), key) ? followed.value.peek()[key] : undefined),
    set(key, value) {
      if (JSON.stringify(value) === JSON.stringify(handle.doc().values[key])) return
      handle.change(doc => {
        if (value === undefined) delete doc.values[key]
        else doc.values[key] = plain(value)
      })
    },
    close: followed.stop,
  }
}

function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value
}
