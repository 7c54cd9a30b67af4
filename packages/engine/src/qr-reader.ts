/** Finds a QR code in a picture. */
import { SegueError } from '@segue/core/base'
import jpeg from 'jpeg-js'
import jsqr from 'jsqr'
import { PNG } from 'pngjs'

/** As `readQrImage` says, in one piece: a large picture takes seconds. */
export function findQr(file: Uint8Array): string {
  const whole = greyOf(decodeImage(file))
  const longest = Math.max(whole.width, whole.height)
  for (const factor of new Set(TRIED_SIDES.map(side => Math.ceil(longest / side)))) {
    const smaller = shrink(whole, factor)
    for (const radius of TRIED_BLURS) {
      const found = find(blur(smaller, radius))
      if (found !== undefined) return found
    }
  }
  throw new SegueError('PAIRING_NO_QR')
}

interface Image {
  readonly width: number
  readonly height: number
  /** Four bytes a pixel. */
  readonly data: Uint8Array
}

const MAX_FILE_BYTES = 64 * 1024 * 1024
const MAX_MEGAPIXELS = 50
const JPEG_MEMORY_MB = 1024
/**
 * Longer sides in pixels that are tried in turn: at a camera's full size the finder sees mostly noise and takes seconds; a code
 * that is small in the picture needs the larger one, a close and noisy one the smallest.
 */
const TRIED_SIDES = [800, 1600, 400] as const
/** The finder has no filter of its own: a little blur lets it read pictures full of noise. */
const TRIED_BLURS = [0, 1, 2] as const

function decodeImage(file: Uint8Array): Image {
  if (file.length > MAX_FILE_BYTES) throw invalid('the file is too large')
  try {
    if (startsWith(file, [0x89, 0x50, 0x4e, 0x47])) return decodePng(file)
    if (startsWith(file, [0xff, 0xd8, 0xff])) {
      return jpeg.decode(file, { useTArray: true, maxResolutionInMP: MAX_MEGAPIXELS, maxMemoryUsageInMB: JPEG_MEMORY_MB })
    }
  } catch (error) {
    if (error instanceof SegueError) throw error
    throw invalid('it is damaged or too large', error)
  }
  throw invalid('it begins like neither')
}

/** The size is read before anything is unpacked: a small file can say that it holds gigabytes. */
function decodePng(file: Uint8Array): Image {
  if (file.length < 24) throw invalid('it is damaged or too large')
  const header = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (header.getUint32(16) * header.getUint32(20) > MAX_MEGAPIXELS * 1e6) throw invalid('the picture is too large')
  return PNG.sync.read(Buffer.from(file.buffer, file.byteOffset, file.byteLength))
}

interface Grey {
  readonly width: number
  readonly height: number
  /** One byte a pixel. */
  readonly data: Uint8Array
}

/** Transparent is white. */
function greyOf({ width, height, data }: Image): Grey {
  const grey = new Uint8Array(width * height)
  for (let i = 0; i < grey.length; i++) {
    const at = 4 * i
    const bright = 0.3 * (data[at] as number) + 0.59 * (data[at + 1] as number) + 0.11 * (data[at + 2] as number)
    grey[i] = 255 + ((bright - 255) * (data[at + 3] as number)) / 255
  }
  return { width, height, data: grey }
}

/** Each square of `factor` pixels becomes one, their mean. */
function shrink(image: Grey, factor: number): Grey {
  if (factor === 1) return image
  return fill(Math.max(1, Math.floor(image.width / factor)), Math.max(1, Math.floor(image.height / factor)), (x, y) =>
    mean(image, x * factor, y * factor, (x + 1) * factor, (y + 1) * factor),
  )
}

/** Each pixel becomes the mean of those at most `radius` away. */
function blur(image: Grey, radius: number): Grey {
  if (radius === 0) return image
  return fill(image.width, image.height, (x, y) => mean(image, x - radius, y - radius, x + radius + 1, y + radius + 1))
}

function fill(width: number, height: number, valueAt: (x: number, y: number) => number): Grey {
  const data = new Uint8Array(width * height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data[y * width + x] = valueAt(x, y)
  return { width, height, data }
}

/** Of the part of a rectangle that lies in the image; right and bottom are excluded. */
function mean({ data, width, height }: Grey, left: number, top: number, right: number, bottom: number): number {
  let sum = 0
  let count = 0
  for (let y = Math.max(0, top); y < Math.min(bottom, height); y++) {
    for (let x = Math.max(0, left); x < Math.min(right, width); x++) {
      sum += data[y * width + x] as number
      count++
    }
  }
  return sum / count
}

function find({ data, width, height }: Grey): string | undefined {
  const pixels = new Uint8ClampedArray(4 * data.length).fill(255)
  for (let i = 0; i < data.length; i++) pixels.fill(data[i] as number, 4 * i, 4 * i + 3)
  return jsqr.default(pixels, width, height, { inversionAttempts: 'attemptBoth' })?.data
}

function startsWith(file: Uint8Array, magic: readonly number[]): boolean {
  return magic.every((byte, i) => file[i] === byte)
}

function invalid(reason: string, cause?: unknown): SegueError {
  return new SegueError('PAIRING_IMAGE_INVALID', { reason }, { cause })
}
