export { type Applied, applyChanges, type Place, placeOf } from './apply.ts';
export { type Bug, type Change, FAMILIES, type Family } from './bug.ts';
export { CANARIES } from './canaries.ts';
export { BUGS, bugOf, changesOf } from './catalogue.ts';
export { LEFT_OUT, type LeftOut } from './left-out.ts';
