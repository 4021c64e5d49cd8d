-- Kinds of exceptions say what is suspected, in the words of the glossary. The trail keeps the words it was written in.
update exceptions.queue set kind = 'mass_deletion_suspected' where kind = 'sweep_collapsed';
