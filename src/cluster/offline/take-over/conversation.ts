import type { Socket } from 'node:net';
import { descriptorOf, stopHearing } from '../../../kernel/named-sockets.ts';
import { DESCRIPTORS_AT_ONCE, sendDescriptors } from '../../../kernel/pass-descriptors.ts';
import { type Answer, type AnswerLine, mapDescriptors, type Question } from './messages.ts';

const LONGEST_QUESTION = 4096;

/** The running proxy's end of a conversation with a new one: questions as they come, answers with descriptors. */
export class Conversation {
  readonly #socket: Socket;
  readonly #questions: AsyncIterator<Question>;
  #last: Question | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#questions = readQuestions(socket);
  }

  /** The next question; undefined when the other side has gone. */
  async next(): Promise<Question | undefined> {
    try {
      const { value, done } = await this.#questions.next();
      if (done === true) return undefined;
      this.#last = value;
      return value;
    } catch (error) {
      // A connection that broke is one that ended.
      if (this.#socket.destroyed) return undefined;
      throw error;
    }
  }

  /** Sends an answer, piece by piece as the other side reads. Rejects when it has gone. */
  async answer(answer: Answer): Promise<void> {
    const descriptors: number[] = [];
    const mapped = mapDescriptors(answer, (descriptor) => descriptors.push(descriptor) - 1);
    this.#write({ answer: mapped, descriptors: descriptors.length });
    expectKind(await this.next(), 'ack');
    for (let at = 0; at < descriptors.length; at += DESCRIPTORS_AT_ONCE) {
      sendDescriptors(descriptorOf(this.#socket), descriptors.slice(at, at + DESCRIPTORS_AT_ONCE));
      expectKind(await this.next(), 'ack');
    }
  }

  /** Hears what has been said, and nothing that comes later, which the other side is told (EPIPE); resolves with the last of it. */
  async hearOut(): Promise<Question | undefined> {
    if (!this.#socket.destroyed) stopHearing(descriptorOf(this.#socket));
    while ((await this.next()) !== undefined);
    return this.#last;
  }

  /** Ends the conversation. */
  refuse(message: string): void {
    this.#write({ answer: { kind: 'refused', message }, descriptors: 0 });
    this.#socket.end(() => this.#socket.destroy());
  }

  #write(line: AnswerLine): void {
    this.#socket.write(`${JSON.stringify(line)}\n`);
  }
}

/** Throws unless the other side said this. */
export function expectKind(question: Question | undefined, kind: Question['kind']): void {
  if (question?.kind !== kind) throw new Error(question === undefined ? 'it has ended' : `it said ${question.kind}`);
}

async function* readQuestions(socket: Socket): AsyncGenerator<Question> {
  let text = '';
  // Who has heard everything may still have something to say.
  const chunks = socket.setEncoding('utf8').iterator({ destroyOnReturn: false }) as AsyncIterable<string>;
  for await (const chunk of chunks) {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Question;
    if (text.length > LONGEST_QUESTION) return;
  }
}
