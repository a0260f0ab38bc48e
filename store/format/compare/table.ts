/**
 * What a change does to one direction of reading. `wire`: the octets do not fit, they are refused or misread.
 * `meaning`: read without complaint, but something is lost or means another thing. `stricter`: files at the edge of
 * what was allowed are refused. `compatible`: reads the same.
 */
export const CATEGORIES = ['wire', 'meaning', 'stricter', 'compatible'] as const;
export type Category = (typeof CATEGORIES)[number];

/** One kind of change between two formats. */
export interface CompareRule {
  readonly area: Area;
  /** In one sentence. */
  readonly text: string;
  /** The old reader on the new writer's files; the usual category first, then those that the surroundings can make of it. */
  readonly oldReadsNew: readonly Category[];
  /** The new reader on the old writer's files. */
  readonly newReadsOld: readonly Category[];
}

export const AREAS = [
  'header',
  'framing',
  'records',
  'fields',
  'strings',
  'unions',
  'rules',
  'readers',
  'texts',
] as const;
export type Area = (typeof AREAS)[number];

type Told = Category | readonly Category[];

function rule(area: Area, text: string, oldReadsNew: Told, newReadsOld: Told): CompareRule {
  return { area, text, oldReadsNew: [oldReadsNew].flat(), newReadsOld: [newReadsOld].flat() };
}

const WIRE: Told = 'wire';
const SAME: Told = 'compatible';
const LOST: Told = 'meaning';
/** Lost where a length tells how far to go, refused or misread where none does or where the octets are needed. */
const LOST_OR_WIRE: Told = ['meaning', 'wire'];
/** Nothing to see while the other side's padding or zeroes happen to say the same. */
const MOSTLY_WIRE: Told = ['wire', 'compatible'];

export const COMPARE_RULES = {
  'header-added': rule('header', 'The file begins with a header where it had none.', WIRE, WIRE),
  'header-removed': rule('header', 'The file begins with its first record, without the header.', WIRE, WIRE),
  'header-magic-changed': rule('header', 'The octets that tell the format are others.', WIRE, WIRE),
  'header-field-added': rule('header', 'The header has a field more.', WIRE, WIRE),
  'header-field-removed': rule('header', 'The header has a field less.', WIRE, WIRE),
  'header-field-changed': rule('header', 'A field of the header has another shape or place.', WIRE, WIRE),
  'version-raised': rule(
    'header',
    'The version written by default is another, which the old reader does not take.',
    WIRE,
    ['compatible', 'wire'],
  ),
  'version-dropped': rule('header', 'A version that was read is not read any more.', SAME, WIRE),
  'version-added': rule('header', 'A further version is read, and not written unless asked for.', WIRE, SAME),
  'byte-order-bit-added': rule('header', 'A bit of the header tells the byte order.', WIRE, WIRE),
  'byte-order-bit-removed': rule('header', 'No bit of the header tells the byte order any more.', WIRE, WIRE),
  'byte-order-bit-moved': rule('header', 'Another bit of the header tells the byte order.', WIRE, WIRE),

  'framing-changed': rule('framing', 'Records are told from each other in another way.', WIRE, WIRE),
  'wrapper-type-changed': rule('framing', 'The type of the records around the records is another.', WIRE, WIRE),
  'length-counts-padding': rule('framing', 'The length of a record begins to count its padding.', SAME, [
    'wire',
    'compatible',
  ]),
  'length-leaves-out-padding': rule(
    'framing',
    'The length of a record no longer counts its padding.',
    ['wire', 'compatible'],
    SAME,
  ),
  'end-added': rule(
    'framing',
    'A record marks the end of the file, which was told by the end of the octets.',
    LOST_OR_WIRE,
    WIRE,
  ),
  'end-removed': rule('framing', 'No record marks the end of the file any more.', WIRE, LOST_OR_WIRE),
  'end-renumbered': rule('framing', 'The record that marks the end is another one.', WIRE, WIRE),

  'record-added': rule('records', 'A record of a new type.', LOST_OR_WIRE, SAME),
  'record-removed': rule('records', 'A type of record is gone.', SAME, LOST_OR_WIRE),
  'record-renumbered': rule('records', 'A record has another number.', LOST_OR_WIRE, LOST_OR_WIRE),
  'record-number-reused': rule(
    'records',
    'A number that meant one record means another.',
    ['wire', 'meaning'],
    ['wire', 'meaning'],
  ),
  'record-renamed': rule('records', 'A record has another name, and its number and fields as before.', SAME, SAME),
  'record-gate-raised': rule('records', 'A record belongs to later versions only.', SAME, ['compatible', 'stricter']),
  'record-gate-lowered': rule('records', 'A record belongs to earlier versions too.', ['compatible', 'stricter'], SAME),
  'record-moved': rule(
    'records',
    'A kind of record is written at another place among the others.',
    ['compatible', 'stricter'],
    ['compatible', 'stricter'],
  ),
  'record-not-written': rule('records', 'A kind of record that was written is only read now.', SAME, SAME),
  'record-written': rule('records', 'A kind of record that was only read is written.', SAME, SAME),
  'record-length-misdeclared': rule(
    'records',
    'The length of a record counts octets that are not written.',
    WIRE,
    WIRE,
  ),
  'record-length-declared': rule('records', 'The length of a record counts just what is written.', WIRE, WIRE),
  'record-misread-by-own-reader': rule(
    'records',
    'The reader takes another layout of a record than its own writer.',
    ['compatible', 'wire'],
    WIRE,
  ),
  'record-read-as-written': rule(
    'records',
    'The reader takes the layout of a record that its own writer writes.',
    WIRE,
    ['compatible', 'wire'],
  ),

  'field-added-at-end': rule('fields', 'A field comes behind the last one.', LOST_OR_WIRE, MOSTLY_WIRE),
  'field-inserted': rule('fields', 'A field comes before others.', WIRE, WIRE),
  'field-removed-at-end': rule('fields', 'The last field is gone.', MOSTLY_WIRE, LOST_OR_WIRE),
  'field-removed': rule('fields', 'A field with others behind it is gone.', WIRE, WIRE),
  'field-moved': rule('fields', 'A field stands in another place.', WIRE, WIRE),
  'field-renamed': rule('fields', 'A field has another name and is described as before.', SAME, SAME),
  'field-replaced': rule('fields', 'The octets of a field hold another one of the same shape.', LOST, LOST),
  'field-redescribed': rule(
    'fields',
    'A field is described in other words: what it means must be looked at.',
    SAME,
    SAME,
  ),
  'field-kind-changed': rule('fields', 'A field is of another kind.', WIRE, WIRE),
  'field-gate-raised': rule(
    'fields',
    'A field means something in later versions only.',
    ['compatible', 'stricter'],
    ['compatible', 'stricter'],
  ),
  'field-gate-lowered': rule(
    'fields',
    'A field means something in earlier versions too.',
    ['compatible', 'stricter'],
    ['compatible', 'stricter'],
  ),
  'int-widened': rule('fields', 'A number takes more octets.', WIRE, MOSTLY_WIRE),
  'int-narrowed': rule('fields', 'A number takes fewer octets.', MOSTLY_WIRE, WIRE),
  'int-sign-changed': rule('fields', 'A number of the same size gains or loses its sign.', LOST, LOST),
  'field-byte-order-changed': rule('fields', 'A number is in another byte order.', LOST_OR_WIRE, LOST_OR_WIRE),
  'field-became-constant': rule('fields', 'A number that varied is always the same.', LOST, WIRE),
  'constant-became-field': rule('fields', 'A number that was always the same varies.', WIRE, LOST),
  'constant-changed': rule('fields', 'A number or the octets that are always the same are others.', WIRE, WIRE),
  'minimum-raised': rule('fields', 'The smallest number allowed is larger.', SAME, 'stricter'),
  'minimum-lowered': rule('fields', 'The smallest number allowed is smaller.', 'stricter', SAME),
  'padding-gained-meaning': rule('fields', 'Octets that were padding mean something.', ['meaning', 'compatible'], SAME),
  'field-became-padding': rule('fields', 'A field is padding now.', SAME, LOST),
  'padding-added': rule('fields', 'Octets without meaning are new.', MOSTLY_WIRE, MOSTLY_WIRE),
  'padding-removed': rule('fields', 'Octets without meaning are gone.', MOSTLY_WIRE, MOSTLY_WIRE),
  'padding-resized': rule('fields', 'Octets without meaning are more or fewer.', MOSTLY_WIRE, MOSTLY_WIRE),
  'alignment-changed': rule('fields', 'Padding goes to another multiple.', MOSTLY_WIRE, MOSTLY_WIRE),
  'letters-added': rule('fields', 'An octet may stand for a further letter.', LOST, SAME),
  'letters-removed': rule('fields', 'An octet may stand for fewer letters.', SAME, LOST),
  'letter-default-changed': rule('fields', 'An unknown octet is taken for another letter.', LOST, LOST),

  'length-widened': rule('strings', 'The length of octets takes more octets.', WIRE, WIRE),
  'length-narrowed': rule('strings', 'The length of octets takes fewer octets.', WIRE, WIRE),
  'length-moved': rule('strings', 'The length of octets, or the count of a list, stands in another place.', WIRE, WIRE),
  'length-counts-nul': rule('strings', 'The length of a string begins to count its NUL.', WIRE, WIRE),
  'length-leaves-out-nul': rule('strings', 'The length of a string no longer counts its NUL.', WIRE, WIRE),
  'string-gained-nul': rule('strings', 'Octets end in a NUL now.', LOST_OR_WIRE, WIRE),
  'string-lost-nul': rule('strings', 'Octets no longer end in a NUL.', WIRE, LOST_OR_WIRE),
  'string-ending-changed': rule(
    'strings',
    'A length tells the end of a string in place of a NUL, or the reverse.',
    WIRE,
    WIRE,
  ),
  'count-widened': rule('strings', 'The count of a list takes more octets.', WIRE, WIRE),
  'count-narrowed': rule('strings', 'The count of a list takes fewer octets.', WIRE, WIRE),
  'list-entry-resized': rule('strings', 'The entries of a list are laid out in another size.', WIRE, WIRE),
  'table-list-added': rule('strings', 'A table holds a further list.', WIRE, MOSTLY_WIRE),
  'table-list-removed': rule('strings', 'A table holds a list less.', MOSTLY_WIRE, WIRE),
  'rest-added': rule('strings', 'All octets up to the end of the body belong to a field.', LOST, [
    'compatible',
    'meaning',
  ]),
  'rest-removed': rule(
    'strings',
    'The octets up to the end of the body belong to no field any more.',
    ['compatible', 'meaning'],
    LOST,
  ),

  'union-case-added': rule('unions', 'A further alternative.', WIRE, SAME),
  'union-case-removed': rule('unions', 'An alternative less.', SAME, WIRE),
  'union-case-renumbered': rule('unions', 'The tag of an alternative is another.', WIRE, WIRE),
  'union-case-renamed': rule(
    'unions',
    'An alternative has another name, and its tag and fields as before.',
    SAME,
    SAME,
  ),
  'union-case-replaced': rule('unions', 'A tag stands for another alternative.', WIRE, WIRE),
  'union-tag-moved': rule('unions', 'The tag of a union stands in another place.', WIRE, WIRE),
  'tag-widened': rule('unions', 'The tag of a union takes more octets.', WIRE, WIRE),
  'tag-narrowed': rule('unions', 'The tag of a union takes fewer octets.', WIRE, WIRE),
  'optional-part-added': rule('unions', 'A bit of the flags announces a further part.', LOST_OR_WIRE, SAME),
  'optional-part-removed': rule('unions', 'A bit of the flags announces nothing any more.', SAME, LOST_OR_WIRE),
  'optional-part-realigned': rule('unions', 'An optional part goes to another multiple.', MOSTLY_WIRE, MOSTLY_WIRE),
  'optional-part-retyped': rule('unions', 'An optional part has another size.', MOSTLY_WIRE, MOSTLY_WIRE),
  'optional-bit-moved': rule('unions', 'Another bit announces an optional part.', LOST_OR_WIRE, LOST_OR_WIRE),
  'optional-condition-changed': rule(
    'unions',
    'An optional part may be there for other alternatives.',
    ['meaning', 'compatible'],
    ['meaning', 'compatible'],
  ),

  'rule-added': rule('rules', 'What was allowed among the records is a fault.', SAME, 'stricter'),
  'rule-removed': rule('rules', 'What was a fault among the records is allowed.', 'stricter', SAME),
  'rule-stricter': rule('rules', 'A rule among the records finds more faults.', SAME, 'stricter'),
  'rule-looser': rule('rules', 'A rule among the records finds fewer faults.', 'stricter', SAME),

  'remark-added': rule('rules', 'Something among the records is remarked on, and accepted.', SAME, SAME),
  'remark-removed': rule('rules', 'Something among the records is not remarked on any more.', SAME, SAME),

  'unknown-records-refused': rule('readers', 'Readers stop at a record of an unknown type.', SAME, 'stricter'),
  'unknown-records-skipped': rule('readers', 'Readers skip a record of an unknown type.', 'stricter', SAME),
  'empty-records-refused': rule(
    'readers',
    'Readers stop at a record without octets that is not the end.',
    SAME,
    'stricter',
  ),
  'empty-records-skipped': rule('readers', 'Readers skip a record without octets.', 'stricter', SAME),
  'missing-end-refused': rule('readers', 'Readers refuse a file that ends without its end marker.', SAME, 'stricter'),
  'missing-end-accepted': rule('readers', 'Readers accept a file that ends without its end marker.', 'stricter', SAME),
  'padding-must-be-zero': rule('readers', 'Readers refuse padding that is not zero.', SAME, 'stricter'),
  'padding-may-be-anything': rule('readers', 'Readers ignore what padding holds.', 'stricter', SAME),
  'advance-exact': rule('readers', 'Readers go on exactly as far as the length tells.', SAME, 'stricter'),
  'advance-padded': rule('readers', 'Readers go on behind the padding, counted or not.', 'stricter', SAME),
  'byte-order-dropped': rule('readers', 'Readers refuse a byte order that they took.', SAME, 'stricter'),
  'byte-order-gained': rule('readers', 'Readers take a byte order that they refused.', 'stricter', SAME),
  'version-gate-closed': rule(
    'readers',
    'Readers refuse what belongs to a later version than the header tells.',
    SAME,
    'stricter',
  ),
  'version-gate-opened': rule(
    'readers',
    'Readers take what belongs to a later version than the header tells.',
    'stricter',
    SAME,
  ),

  'text-became-records': rule('texts', 'The file is records, and was a text.', WIRE, WIRE),
  'records-became-text': rule('texts', 'The file is a text, and was records.', WIRE, WIRE),
  'line-added': rule('texts', 'A line of a new kind.', LOST, SAME),
  'line-removed': rule('texts', 'A kind of line is gone.', SAME, LOST),
  'line-field-added': rule(
    'texts',
    'A line has a further field: a reader that takes just its own skips the line, and all that needs it.',
    ['meaning', 'compatible'],
    ['compatible', 'meaning'],
  ),
  'line-field-removed': rule(
    'texts',
    'A field of a line is gone.',
    ['compatible', 'meaning'],
    ['meaning', 'compatible'],
  ),
  'further-fields-ignored': rule('texts', 'Readers take a line that has more fields than they know.', LOST, SAME),
  'further-fields-refused': rule('texts', 'Readers skip a line that has more fields than they know.', SAME, LOST),
  'sibling-order-kept': rule('texts', 'Children come in the order of the tree, and stay so.', LOST, LOST),
  'sibling-order-lost': rule('texts', 'Children come by name: their order is lost.', LOST, LOST),
} as const satisfies Readonly<Record<string, CompareRule>>;

export type CompareRuleId = keyof typeof COMPARE_RULES;
