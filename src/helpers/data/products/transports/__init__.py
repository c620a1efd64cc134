"""How the archives are spoken to: one class for each protocol, with its base addresses as arguments.

``find`` asks what there is: nobody logs in, no file comes. ``fetch`` brings one file into a product's folder, whole and
verified; a file that lies there already, by an earlier call or by hand, is verified and taken.
"""

from helpers.data.products.transports.earthdata import Earthdata, Ornl
from helpers.data.products.transports.files import Folder, Https
from helpers.data.products.transports.repositories import Figshare, Zenodo
from helpers.data.products.transports.stac import Stac

__all__ = ["Earthdata", "Figshare", "Folder", "Https", "Ornl", "Stac", "Zenodo"]
