"""Session ids that people can say: `golden-eagle-427`.

31 million of them: too many to try out at the pace that the functions allow, few enough that two
sessions may get the same one, so a caller must be ready to draw another.
"""

from __future__ import annotations

import secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ADJECTIVES", "ANIMALS", "new_session_id"]

ADJECTIVES = """
    able agile alert amber ample ancient arctic autumn azure basic bold brave bright brisk broad
    bronze calm candid careful casual cedar central cheerful civil classic clean clear clever coastal
    cobalt cool copper coral cosmic crisp crystal curious daring deep double eager early eastern easy
    elder electric emerald equal even exact fair famous fancy fast fearless final fine firm fleet
    fluent formal free fresh friendly frosty gentle giant glad golden grand grateful green happy
    hardy helpful hidden honest humble ideal indigo inner iron ivory jolly jovial keen kind large
    late lively loyal lucid lucky lunar magic major maple marble mellow merry mild mighty modern
    modest navy neat nimble noble northern novel ocean olive open orange patient pearl plain pleasant
    polar polite prime proper proud purple quick quiet rapid rare ready regal royal ruby rustic safe
    scarlet secret serene sharp shiny silent silver simple smart smooth snowy social solar solid
    southern spring stable steady sterling still strong summer sunny super sure swift tall teal tidy
    tidal topaz tranquil true trusty upper urban valiant velvet violet vital vivid warm western wild
    winter wise witty young zesty
""".split()
ANIMALS = """
    albatross alpaca antelope badger bat bear beaver bee bison bobcat buffalo camel canary caribou
    cat cheetah chinchilla chipmunk condor cougar coyote crab crane cricket crow deer dingo dolphin
    donkey dove dragonfly duck eagle egret elephant elk falcon ferret finch firefly flamingo fox frog
    gazelle gecko giraffe goat goose gopher grouse gull hamster hare hawk hedgehog heron hippo horse
    hound ibex ibis iguana impala jackal jaguar jay kestrel kingfisher kiwi koala lark lemming lemur
    leopard lion lizard llama lobster lynx macaw magpie mallard manatee marlin marmot marten meerkat
    mole mongoose monkey moose moth mouse narwhal newt nightingale ocelot octopus opossum orca oriole
    osprey ostrich otter owl ox oyster panda panther parrot partridge pelican penguin pheasant pigeon
    pika plover pony porcupine porpoise puffin puma quail rabbit raccoon ram raven reindeer robin
    salamander salmon sandpiper seahorse seal sheep shrew skylark sloth snail sparrow squid squirrel
    stallion starling stork swallow swan swift tapir terrapin tern thrush tiger tortoise toucan trout
    turtle viper vole wallaby walrus warbler weasel whale wolf wolverine wombat woodpecker wren yak
    zebra
""".split()


def new_session_id(choose: Callable[[Sequence[str]], str] = secrets.choice) -> str:
    """Return an id that nobody can foretell; `choose` picks one of several words."""
    number = "".join(choose("0123456789") for _ in range(3))
    return f"{choose(ADJECTIVES)}-{choose(ANIMALS)}-{number}"
