{-# LANGUAGE LambdaCase #-}
-- | Everything about parcels.
module Acme.Store
  ( Store (..)
  , get
  ) where

import Prelude
import Control.Monad (forM_, when)
import qualified Data.Map as Map
import qualified Data.Map.Strict as M (Map, lookup)
import Acme.Model.Parcel hiding (Level (..))

-- | Where parcels are kept.
data Store = Store
  { parcels :: [Parcel] -- ^ all of them
  , limit :: Int
  }
  | Closed
  deriving (Show, Eq)

newtype Box a = Box { unBox :: a }

type Id = Int

-- | Things that have a size.
class Show a => Sized a where
  size :: a -> Int
  size _ = 0

instance Sized Store where
  size store = length (parcels store)

-- | Finds a parcel.
-- Slowly.
get :: Store -> Id -> Maybe Parcel
get Closed _ = Nothing
get store ident
  | ident > maxIds = Nothing
  | otherwise = Map.lookup ident (table store) >>= check
  where
    table = toMap . parcels
    check parcel = if level parcel == High then Just parcel else Nothing

toMap :: [Parcel] -> M.Map Id Parcel
toMap found = Map.fromList [(parcelId parcel, parcel) | parcel <- found]

maxIds :: Int
maxIds = 100

infixl 6 <+>
(<+>) :: Store -> Store -> Store
left <+> right = Store { parcels = parcels left ++ parcels right, limit = maxIds }

main :: IO ()
main = do
  let store = Store [] maxIds
  found <- pure $ get store 1
  forM_ found $ \parcel -> when (size store > 0) $ print (unBox (Box parcel))
  case found of
    Just parcel -> print parcel
    Nothing -> Map.foldr seq (pure ()) mempty

data Shape where
  Circle :: Double -> Shape

type family Elem c
pattern Zero :: Int
pattern Zero = 0
