import { encodeAddLink, encodeDeleteLink, encodeFdb, encodeSetBridgePort, encodeSetLink } from './encode-link.ts';
import { encodeAddress, encodeNeighbour, encodeRoute, encodeRule } from './encode-route.ts';
import type { LinkIndexes } from './link-indexes.ts';
import type { MessageWriter } from './message-writer.ts';
import type { LinkOperation } from './operations.ts';
import * as rt from './rtnetlink-constants.ts';

const creates = rt.NLM_F_CREATE | rt.NLM_F_EXCL;
const replaces = rt.NLM_F_CREATE | rt.NLM_F_REPLACE;

const headers: Readonly<Record<LinkOperation['kind'], readonly [type: number, flags: number]>> = {
  addBridge: [rt.RTM_NEWLINK, creates],
  addVeth: [rt.RTM_NEWLINK, creates],
  addVxlan: [rt.RTM_NEWLINK, creates],
  setLink: [rt.RTM_NEWLINK, 0],
  setBridgePort: [rt.RTM_NEWLINK, 0],
  deleteLink: [rt.RTM_DELLINK, 0],
  addAddress: [rt.RTM_NEWADDR, creates],
  deleteAddress: [rt.RTM_DELADDR, 0],
  addRoute: [rt.RTM_NEWROUTE, creates],
  replaceRoute: [rt.RTM_NEWROUTE, replaces],
  deleteRoute: [rt.RTM_DELROUTE, 0],
  setNeighbour: [rt.RTM_NEWNEIGH, replaces],
  deleteNeighbour: [rt.RTM_DELNEIGH, 0],
  addFdb: [rt.RTM_NEWNEIGH, rt.NLM_F_CREATE | rt.NLM_F_APPEND],
  deleteFdb: [rt.RTM_DELNEIGH, 0],
  addRule: [rt.RTM_NEWRULE, creates],
  deleteRule: [rt.RTM_DELRULE, 0],
};

/** Writes the rtnetlink message of one operation. Throws UnknownLink, leaving nothing written. */
export function encodeOperation(
  w: MessageWriter,
  operation: LinkOperation,
  context: { readonly sequence: number; readonly indexes: LinkIndexes },
): void {
  const [type, flags] = headers[operation.kind];
  const before = w.length;
  w.begin(type, flags | rt.NLM_F_REQUEST | rt.NLM_F_ACK, context.sequence);
  try {
    encodeBody(w, operation, context.indexes);
  } catch (error) {
    w.truncate(before);
    throw error;
  }
  w.end();
}

function encodeBody(w: MessageWriter, operation: LinkOperation, indexes: LinkIndexes): void {
  switch (operation.kind) {
    case 'addBridge':
    case 'addVeth':
    case 'addVxlan':
      encodeAddLink(w, operation, indexes);
      break;
    case 'setLink':
      encodeSetLink(w, operation, indexes);
      break;
    case 'setBridgePort':
      encodeSetBridgePort(w, operation, indexes);
      break;
    case 'deleteLink':
      encodeDeleteLink(w, operation, indexes);
      break;
    case 'addAddress':
    case 'deleteAddress':
      encodeAddress(w, operation, indexes);
      break;
    case 'addRoute':
    case 'replaceRoute':
    case 'deleteRoute':
      encodeRoute(w, operation, indexes);
      break;
    case 'setNeighbour':
    case 'deleteNeighbour':
      encodeNeighbour(w, operation, indexes);
      break;
    case 'addFdb':
    case 'deleteFdb':
      encodeFdb(w, operation, indexes);
      break;
    case 'addRule':
    case 'deleteRule':
      encodeRule(w, operation);
      break;
  }
}
