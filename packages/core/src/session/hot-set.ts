/**
 * The little that is enough to show what was on the driver's screen: titles, the layout, and an excerpt around each cursor. It
 * may be shown before anything is verified, read-only and marked as arriving. CBOR, at most MAX_HOT_SET_BYTES: excerpts are
 * halved until it fits, then views are left out from the last one on.
 */
import * as v from 'valibot'
import { decodeCbor, encodeCbor, wholeNumber, type DecodeFailure } from '../lib/codec.ts'
import type { Result } from '../lib/result.ts'
import { MAX_HOT_SET_BYTES } from '../wire/limits.ts'

const EXCERPT_CHARACTERS = 8_192
const TITLE_CHARACTERS = 256
const MAX_VIEWS = 64

const text: v.GenericSchema<string> = v.pipe(v.string(), v.maxLength(2 * EXCERPT_CHARACTERS))
export interface HotView {
  readonly document: string
  readonly title: string
  readonly pane: number
  readonly focused: boolean
  /** Where the excerpt begins in the text, and the selection: UTF-16 units of the whole text. */
  readonly from: number
  readonly excerpt: string
  readonly anchor?: number | undefined
  readonly head?: number | undefined
}
export interface HotSet {
  readonly version: 1
  readonly title: string
  readonly views: readonly HotView[]
}

const hotViewSchema: v.GenericSchema<HotView> = v.object({
  document: text,
  title: text,
  pane: wholeNumber,
  focused: v.boolean(),
  from: wholeNumber,
  excerpt: text,
  anchor: v.optional(wholeNumber),
  head: v.optional(wholeNumber),
})
const hotSetSchema: v.GenericSchema<HotSet> = v.object({
  version: v.literal(1),
  title: text,
  views: v.pipe(v.array(hotViewSchema), v.maxLength(MAX_VIEWS)),
})

/** One view with its whole text, before it is cut. */
export interface HotSource {
  readonly document: string
  readonly title: string
  readonly pane: number
  readonly focused: boolean
  readonly text: string
  readonly anchor: number | undefined
  readonly head: number | undefined
  /** First text position on screen, when there is no selection. */
  readonly top: number | undefined
}

export function makeHotSet(title: string, sources: readonly HotSource[]): HotSet {
  const ordered = [...sources].sort((a, b) => Number(b.focused) - Number(a.focused)).slice(0, MAX_VIEWS)
  for (let characters = EXCERPT_CHARACTERS, views = ordered; ;) {
    const hotSet: HotSet = { version: 1, title: cut(title, 0, TITLE_CHARACTERS), views: views.map(view => excerptOf(view, characters)) }
    if (encodeHotSet(hotSet).length <= MAX_HOT_SET_BYTES) return hotSet
    if (characters > 64) characters = Math.floor(characters / 2)
    else views = views.slice(0, -1)
  }
}

export function encodeHotSet(hotSet: HotSet): Uint8Array {
  return encodeCbor(hotSet)
}

export function decodeHotSet(bytes: Uint8Array): Result<HotSet, DecodeFailure> {
  return decodeCbor(hotSetSchema, bytes, MAX_HOT_SET_BYTES)
}

function excerptOf({ document, title, pane, focused, text: whole, anchor, head, top }: HotSource, characters: number): HotView {
  const middle = head ?? top ?? 0
  const from = wholeCharacter(whole, Math.max(0, Math.min(middle - (head === undefined ? 0 : characters / 2), whole.length - characters)))
  return {
    document,
    title: cut(title, 0, TITLE_CHARACTERS),
    pane: Math.max(0, Math.trunc(pane)),
    focused,
    from,
    excerpt: cut(whole, from, from + characters),
    ...(anchor !== undefined && head !== undefined && { anchor, head }),
  }
}

function cut(whole: string, from: number, to: number): string {
  return whole.slice(from, wholeCharacter(whole, to))
}

/** Never between the two halves of a character: half a character is not UTF-8. */
function wholeCharacter(whole: string, position: number): number {
  const at = Math.min(Math.trunc(position), whole.length)
  const before = whole.charCodeAt(at - 1)
  return before >= 0xd800 && before <= 0xdbff ? at - 1 : at
}
