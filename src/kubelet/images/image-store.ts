import type { BuiltinImage } from './builtin-image.ts';
import { parseImageReference } from './parse-image-reference.ts';

/** The images that exist here: built-in ones only, looked up by the end of an image's name. */
export class ImageStore {
  readonly #images = new Map<string, BuiltinImage>();

  /** Later images win over earlier ones with the same name. */
  constructor(images: readonly BuiltinImage[]) {
    for (const image of images) for (const name of image.names) this.#images.set(name, image);
  }

  /** The image behind a reference such as `registry.k8s.io/e2e-test-images/agnhost:2.53`: the longest name that fits wins. */
  find(reference: string): BuiltinImage | undefined {
    const words = parseImageReference(reference)?.repository.split('/') ?? [];
    for (let from = 0; from < words.length; from++) {
      const image = this.#images.get(words.slice(from).join('/'));
      if (image !== undefined) return image;
    }
    return undefined;
  }

  /** Every name that find knows, sorted: what an error message lists. */
  get names(): readonly string[] {
    return [...this.#images.keys()].sort();
  }
}
