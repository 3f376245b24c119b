/** The first digits of a hexadecimal text as a UUID: random ones make version 4, those of a hash version 8. Spec: RFC 9562. */
export function uuidOf(digits: string, version: 4 | 8): string {
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, `$1-$2-${version}$3-8$4-$5`);
}
