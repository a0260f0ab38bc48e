export { type RecordSchema, record } from './compile.ts';
export { type FormatFailure, type FormatResult, formatFailure } from './cursor.ts';
export { type Dialect, inDialectOrder, v1, v2 } from './dialect.ts';
export {
  type DecodeOptions,
  decodeHeader,
  decodeImage,
  encodeImage,
  type ImageHeader,
  ImageWriter,
  type RecordAt,
  RecordReader,
  readRecords,
  type StateImage,
  type WriterOptions,
} from './image.ts';
