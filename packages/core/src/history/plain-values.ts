/** The values a document can hold: telling kinds apart, comparing them, and copying them so that they can be written again. */
import * as A from '@automerge/automerge'

export type Container = Record<string | number, unknown>

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isSpecial(value)
}

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

export function isSameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== typeof b || typeof a !== 'object' || a === null || b === null) return false
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => isSameValue(item, b[i]))
  if (isMap(a)) {
    if (!isMap(b)) return false
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && isSameValue(a[key], b[key]))
  }
  if (isList(b) || isMap(b)) return false
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i])
  if (isDate(a)) return isDate(b) && a.getTime() === b.getTime()
  if (A.isCounter(a)) return A.isCounter(b) && a.value === b.value
  return A.isImmutableString(a) && A.isImmutableString(b) && a.val === b.val
}

/** A value of its own: what came out of a document cannot be put into one. */
export function copyOf(value: unknown): unknown {
  if (isList(value)) return value.map(copyOf)
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)]))
  if (A.isCounter(value)) return new A.Counter(value.value)
  if (A.isImmutableString(value)) return new A.ImmutableString(value.val)
  if (isDate(value)) return new (value.constructor as new (time: number) => unknown)(value.getTime())
  return value instanceof Uint8Array ? value.slice() : value
}

/** A value as a person may read it. */
export function shown(value: unknown): string {
  if (value === undefined) return ''
  if (typeof value === 'string') return value
  if (A.isImmutableString(value)) return value.val
  if (A.isCounter(value)) return String(value.value)
  if (value instanceof Uint8Array) return `${value.length} bytes`
  return JSON.stringify(value) ?? ''
}

export function valueAt(doc: unknown, path: readonly (string | number)[]): unknown {
  let value: unknown = doc
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Container)[key] : undefined
  return value
}

interface DateLike {
  getTime(): number
}

/** By what it can do: a document's dates come from Automerge, and core has no clock to make one. */
function isDate(value: unknown): value is DateLike {
  return Object.prototype.toString.call(value) === '[object Date]'
}

function isSpecial(value: object): boolean {
  return value instanceof Uint8Array || isDate(value) || A.isCounter(value) || A.isImmutableString(value)
}
