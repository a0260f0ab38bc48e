/**
 * Reduce a failing list to one from which no single item can be taken without the failure going away. Pieces are tried
 * from large to small, so that a long script costs few runs. `fails` must say the same of the same list every time, and
 * true of `items`; the order of what remains is kept.
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let kept = items;
  for (let size = Math.ceil(kept.length / 2); size >= 1; ) {
    let removed = false;
    for (let from = 0; from < kept.length; ) {
      const candidate = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await fails(candidate)) {
        kept = candidate;
        removed = true;
      } else {
        from += size;
      }
    }
    // Taking one item can make another one superfluous: single items are tried until none goes.
    if (size > 1) size = Math.ceil(size / 2);
    else if (!removed) break;
  }
  return kept;
}
