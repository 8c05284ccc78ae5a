import { printable } from '../../../base/index.ts';
import { type AddedOutput, addedOutputJson } from '../../../model/index.ts';
import type { Form } from '../command.ts';

/** Something that was added; of a wrapping directory the name is empty, and the line ends with a blank. */
export const addedForm: Form<AddedOutput> = {
  json: addedOutputJson,
  text: ({ cid, name }, paint) => `${paint('good', 'added')} ${cid} ${printable(name)}\n`,
};

/** The CID alone; as JSON there is no difference. */
export const addedCidForm: Form<AddedOutput> = { json: addedOutputJson, text: ({ cid }) => `${cid}\n` };

/** All at once: as JSON one array. */
export function allAdded(form: Form<AddedOutput>): Form<readonly AddedOutput[]> {
  return {
    json: {
      print: (all) => `[${all.map(addedOutputJson.print).join(',')}]`,
      parse: () => [],
    },
    text: (all, paint) => all.map((added) => form.text(added, paint)).join(''),
  };
}
