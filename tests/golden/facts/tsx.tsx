import { useState, type ReactNode } from 'react';
import { Button } from './button';

type Props = { title: string; children?: ReactNode };

/** A card with a title. */
export const Card = ({ title, children }: Props) => {
  const [open, setOpen] = useState<boolean>(false);
  const toggle = () => setOpen(!open);
  return (
    <section>
      <Button onClick={toggle} label={title} />
      {children}
    </section>
  );
};

export function List(props: { items: Props[] }): ReactNode {
  return props.items.map((item) => <Card key={item.title} {...item} />);
}
